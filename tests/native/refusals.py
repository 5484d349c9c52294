"""Calls that the native module must refuse, because they would read or write where nothing is: a program for MicroPython.

s is a state with three channels and nothing folded, t one with one channel, a closed window, and no pair, p one with a pair
and an open window; table, ring (12 codes) and out (40 bytes) are good ones.
"""

STATES = [
    "bytes(metering.STATE_BYTES)",
    "bytearray(metering.STATE_BYTES - 1)",
    "bytearray(metering.STATE_BYTES + 8)",
    "memoryview(bytearray(metering.STATE_BYTES + 8))[1:metering.STATE_BYTES + 1]",  # not aligned
    "memoryview(bytearray(metering.STATE_BYTES + 8))[4:metering.STATE_BYTES + 4]",
    "bytearray()",
    "None",
    "5",
]
AFTER_THE_STATE = {  # function -> its other arguments, good ones
    "init": ["3", "10"],
    "noise": ["0", "0"],
    "multiply": ["0", "1", "0", "0"],
    "watch": ["0"],
    "gap": [],
    "fold": ["table", "ring", "0", "1"],
    "windows": [],
    "take": ["0", "out", "0"],
    "take_pair": ["0", "out", "0"],
}
TABLES = [
    "None",
    "bytearray(8192)",
    "bytes(8192)",
    "array('H', table)",
    "array('h', [0] * 4095)",
    "array('h', [0] * 4097)",
    "array('b', [0] * 8192)",
    "array('i', [0] * 2048)",
    "memoryview(table)[1:]",
]
RINGS = [
    "None",
    "5",
    "bytearray(6)",
    "array('h', [1, 2, 3])",
    "array('B', [1, 2, 3])",
    "array('I', [1, 2, 3])",
    "[1, 2, 3]",
]
OUTS = ["bytearray(39)", "bytearray()", "bytes(40)", "None", "'a' * 40"]
# No argument takes these. Larger ones lose their upper bits in MicroPython's own glue: the module sees a machine word.
NUMBERS = ["-1", "1 << 31", "-(1 << 31)", "1.5", "None", "'0'", "out"]


def _each(call: str, *values: str) -> list[str]:
    """The call with each of these in place of its ?."""
    return [call.replace("?", value) for value in values]


def _call(name: str, *arguments: str) -> str:
    return f"metering.{name}({', '.join(arguments)})"


def _states_and_counts() -> list[str]:
    calls = []
    for name, good in AFTER_THE_STATE.items():
        states = STATES if name == "init" else [*STATES, "bytearray(metering.STATE_BYTES)"]  # not begun
        calls += [_call(name, state, *good) for state in states]
        calls += [_call(name), _call(name, *["s", *good][:-1]), _call(name, "s", *good, "0")]
    return calls


CALLS_TO_REFUSE = [
    *_states_and_counts(),
    *_each("metering.identity(?)", *TABLES),
    *_each("metering.identity(?)", "", "table, 0", "[0] * 4096"),
    *_each("metering.init(s, ?, 10)", *NUMBERS, "0", "4"),
    *_each("metering.init(s, 3, ?)", *NUMBERS, "0", "500001"),
    *_each("metering.noise(s, ?, 0)", *NUMBERS, "3", "4"),
    *_each("metering.noise(s, 0, ?)", *NUMBERS),
    *_each("metering.multiply(s, ?, 2, 0, 0)", *NUMBERS, "2", "3"),
    *_each("metering.multiply(s, 0, ?, 0, 0)", *NUMBERS, "0", "3", "4"),
    *_each("metering.multiply(s, 0, 1, ?, 0)", *NUMBERS[1:], "(1 << 20) + 1", "-(1 << 20) - 1"),
    *_each("metering.multiply(s, 0, 1, 0, ?)", *NUMBERS[1:], "(1 << 20) + 1", "-(1 << 20) - 1"),
    "metering.multiply(t, 0, 1, 0, 0)",
    "metering.multiply(p, 0, 2, 0, 0)",  # a new pair in the middle of a window
    *_each("metering.watch(s, ?)", *NUMBERS, "3", "4"),
    "metering.watch(t, 0)",  # in mid-run
    "metering.watch(p, 0)",
    *[call for call in _each("metering.fold(s, ?, ring, 0, 1)", *TABLES) if "bytes(8192)" not in call],
    *_each("metering.fold(s, table, ?, 0, 1)", *RINGS),
    *_each("metering.fold(s, table, ring, ?, 0)", *NUMBERS, "13"),
    *_each("metering.fold(s, table, ring, 0, ?)", *NUMBERS, "5"),
    *_each("metering.fold(s, table, ring, ?)", "1, 4", "10, 1", "12, 1"),
    "metering.fold(t, table, ring, 0, 13)",
    "metering.fold(s, table, memoryview(ring)[1:], 0, 4)",
    "metering.fold(s, table, array('H'), 0, 1)",
    "metering.take(s, 0, out, 0)",  # no window closed yet
    *_each("metering.take(t, ?, out, 0)", *NUMBERS, "1", "3"),
    *_each("metering.take(t, 0, ?, 0)", *OUTS),
    *_each("metering.take(t, 0, out, ?)", *NUMBERS, "1"),
    "metering.take(t, 0, bytearray(48), 9)",
    "metering.take_pair(s, 0, out, 0)",
    *_each("metering.take_pair(t, ?, out, 0)", *NUMBERS, "0", "3"),  # 0: not multiplied
    *_each("metering.take_pair(p, ?, out, 0)", *NUMBERS, "1", "2", "3"),
    *_each("metering.take_pair(p, 0, ?, 0)", *OUTS),
    *_each("metering.take_pair(p, 0, out, ?)", *NUMBERS, "1"),
    *_each("metering.pick(?, 0, 1, codes)", *RINGS),
    *_each("metering.pick(ring, 0, 1, ?)", *RINGS),
    *_each("metering.pick(ring, ?, 1, codes)", *NUMBERS, "10", "12", "13"),
    *_each("metering.pick(ring, 0, ?, codes)", *NUMBERS, "0", "4"),
    *_each(
        "metering.pick(?)", "", "ring, 0, 1", "ring, 0, 1, codes, 0", "ring, 6, 3, codes", "array('H'), 0, 1, codes"
    ),
]
# The good calls come first: what they need must work, or nothing is shown by the others being refused.
READY = """
from array import array
import metering
s, t, p = [bytearray(metering.STATE_BYTES) for _ in range(3)]
table, ring, out, codes = array('h', [0] * 4096), array('H', range(12)), bytearray(40), array('H', [0, 0, 0])
metering.identity(table)
metering.init(s, 3, 10)
metering.init(t, 1, 2)
metering.fold(t, table, ring, 0, 2)
metering.take(t, 0, bytearray(48), 8)
metering.init(p, 3, 2)
metering.multiply(p, 0, 1, -(1 << 20), 1 << 20)
metering.fold(p, table, ring, 6, 2)
metering.take_pair(p, 0, out, 0)
metering.fold(p, table, ring, 9, 1)
metering.multiply(p, 0, 1, 5, 6)
metering.watch(s, 2)
metering.fold(s, table, ring, 12, 0)
metering.fold(s, table, ring, 0, 4)
metering.gap(s)
metering.noise(s, 2, (1 << 31) - 1)
metering.init(s, 3, 500000)
metering.pick(ring, 5, 3, codes)
assert list(codes) == [5, 8, 11] and metering.windows(t) == 1
"""


def program(calls: list[str]) -> str:
    """Prints each of these calls that is not refused, then how many there were."""
    return f"""{READY}
calls = {calls!r}
for call in calls:
    try:
        eval(call)
    except (ValueError, TypeError, OverflowError):
        continue
    print("NOT REFUSED", call)
print("asked", len(calls))
"""
