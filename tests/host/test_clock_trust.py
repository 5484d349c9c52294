"""When the host's clock is believed, and what this very host says of its own."""

import ctypes
from datetime import UTC, datetime

import pytest

from fluksometer.adapters import clock
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.clock_trust import BUILT_S, ClockFacts, ClockTrust

NOW_S = 1_795_325_400.0  # 2026-11-22 05:30:00
YEAR_S = 365 * 86_400


def at(mono_s, wall_s=NOW_S):
    return HostTime(mono_s=mono_s, wall_s=wall_s)


def facts(synchronised=False, battery_clock=False):
    return ClockFacts(synchronised=synchronised, battery_clock=battery_clock)


@pytest.mark.parametrize(
    ("wall_s", "newest_s", "known", "wait", "trusted", "reason"),
    [
        (
            7.0,
            None,
            facts(True, True),
            False,
            False,
            "the host's clock shows 1970-01-01 00:00:07 UTC: it has not been set",
        ),
        (
            BUILT_S - 1,
            None,
            facts(True),
            True,
            False,
            "the host's clock shows 2025-12-31 23:59:59 UTC: it has not been set",
        ),
        (BUILT_S, None, facts(True), True, True, "the host's clock is synchronised"),
        (NOW_S, NOW_S + YEAR_S, facts(True), True, True, "the host's clock is synchronised"),
        (NOW_S, None, facts(battery_clock=True), True, True, "the host's clock is kept by a battery"),
        (NOW_S, NOW_S + 60, facts(battery_clock=True), True, True, "the host's clock is kept by a battery"),
        (
            NOW_S,
            NOW_S + 61,
            facts(battery_clock=True),
            True,
            False,
            "the host's clock shows 2026-11-22 05:30:00 UTC, but readings up to 2026-11-22 05:31:01 UTC are stored: "
            "waiting for synchronisation",
        ),
        (
            NOW_S,
            None,
            facts(),
            True,
            False,
            "the host keeps no time while it is off: waiting until its clock is synchronised",
        ),
        (NOW_S, None, facts(), False, True, 'the host\'s clock is trusted: device.clock = "trust"'),
        (2**40, None, facts(True), True, True, "the host's clock is synchronised"),
        (-5.0, None, facts(True), True, False, "the host's clock shows 1969-12-31 23:59:55 UTC: it has not been set"),
    ],
)
def test_the_first_look(wall_s, newest_s, known, wait, trusted, reason):
    verdict = ClockTrust(wait=wait, newest_s=newest_s).judge(at(5.0, wall_s), known)
    assert (verdict.trusted, verdict.reason, verdict.warning) == (trusted, reason, False)


def test_after_ten_minutes_it_goes_on_with_a_warning():
    trust = ClockTrust()
    assert not trust.judge(at(100.0), facts()).trusted
    assert not trust.judge(at(699.9), facts()).trusted
    verdict = trust.judge(at(700.0), facts())
    assert (verdict.trusted, verdict.warning) == (True, True)
    assert verdict.reason == "nobody has set the host's clock for 10 minutes: going on with what it shows"
    assert not trust.judge(at(701.0), facts()).warning, "said once"


def test_a_clock_before_what_is_stored_sets_the_seconds_back_when_it_is_trusted_after_all():
    for known, later_s in ((facts(True), 1.0), (facts(battery_clock=True), 700.0)):
        trust = ClockTrust(newest_s=int(NOW_S) + 3600)
        assert not trust.judge(at(0.0), facts(battery_clock=True)).trusted
        assert trust.judge(at(later_s), known).set_back
        assert not trust.judge(at(later_s + 1), known).set_back, "once"
    assert not ClockTrust(newest_s=int(NOW_S) + 30).judge(at(0.0), facts(True)).set_back


def test_trust_stays_but_for_a_clock_that_falls_before_the_program_was_built():
    trust = ClockTrust()
    trust.judge(at(0.0), facts(True))
    for wall_s in (NOW_S, NOW_S - YEAR_S / 2, NOW_S + 50 * YEAR_S):
        assert trust.judge(at(1.0, wall_s), facts()).trusted
    assert not trust.judge(at(2.0, 100.0), facts(True)).trusted
    assert not trust.judge(at(3.0), facts()).trusted
    assert trust.judge(at(4.0), facts(True)).trusted


def test_the_built_date():
    assert datetime.fromtimestamp(BUILT_S, UTC) == datetime(2026, 1, 1, tzinfo=UTC)


# --- this host ---


def test_both_clocks_are_read_at_one_moment():
    first, second = clock.host_time(), clock.host_time()
    assert 0 <= second.mono_s - first.mono_s < 1
    assert abs((second.wall_s - second.mono_s) - (first.wall_s - first.mono_s)) < 0.01


def test_the_kernel_is_asked_and_nothing_is_changed():
    known = clock.clock_facts()
    libc = ctypes.CDLL(None)
    assert known == clock.clock_facts()
    if not clock._TIMESYNCD.exists():
        state = libc.adjtimex((ctypes.c_long * 64)())
        assert known.synchronised == (state in range(5))


def test_a_battery_clock_that_lost_its_time_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "_PC", ())
    assert not clock._battery_clock(tmp_path)
    for name, shown in (("rtc0", "12345\n"), ("rtc1", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "since_epoch").write_text(shown)
    (tmp_path / "rtc2").mkdir()
    assert not clock._battery_clock(tmp_path)
    (tmp_path / "rtc2" / "since_epoch").write_text(f"{BUILT_S}\n")
    assert clock._battery_clock(tmp_path)
