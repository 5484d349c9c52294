"""What a press of the button asks for, by how long it was held (the manual's section on the pushbutton)."""

from typing import Final

TOGGLE_NETWORK: Final = "toggle network"
RESTORE_NETWORK: Final = "restore network"
FACTORY_RESET: Final = "factory reset"
_ACTIONS: Final = (((2, 5), TOGGLE_NETWORK), ((10, 30), RESTORE_NETWORK), ((60, 120), FACTORY_RESET))


def action_of(held_ms: int) -> str | None:
    """The action, or None: any other length does nothing. Whole seconds count, both ends belong to it, as in the original:
    2000 to 5999 ms is 2 to 5 s."""
    held_s = held_ms // 1000
    return next((action for (low, high), action in _ACTIONS if low <= held_s <= high), None)
