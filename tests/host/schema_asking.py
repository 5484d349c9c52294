"""Schemathesis as the tests use it: every question of one operation to a server that runs."""

from collections.abc import Callable, Collection

from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()


def ask_all(
    operation, mode, url: str, *, examples: int, not_ours: Collection[str], before: Callable[[], None] = lambda: None
) -> set[int]:
    """The status codes that came. ``not_ours``: names of checks that do not apply; ``before``: called before each question."""
    checks = [check for check in CHECKS.get_all() if check.__name__ not in not_ours]
    seen = set()

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        before()
        response = case.call(base_url=url, timeout=10)
        seen.add(response.status_code)
        case.validate_response(response, checks=checks)

    ask()
    return seen
