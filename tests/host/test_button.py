"""Which press of the button does what."""

import pytest

from fluksometer.domain.button import FACTORY_RESET, RESTORE_NETWORK, TOGGLE_NETWORK, action_of


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "action"),
    [
        (0, 1_999, None),
        (2_000, 5_999, TOGGLE_NETWORK),
        (6_000, 9_999, None),
        (10_000, 30_999, RESTORE_NETWORK),
        (31_000, 59_999, None),
        (60_000, 120_999, FACTORY_RESET),
        (121_000, 0xFFFFFFFF, None),
    ],
)
def test_whole_seconds_count_and_both_ends_belong_to_it(low_ms, high_ms, action):
    assert [action_of(low_ms), action_of((low_ms + high_ms) // 2), action_of(high_ms)] == [action] * 3
