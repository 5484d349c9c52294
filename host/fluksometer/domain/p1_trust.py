"""Whether a counter of the smart meter may be believed at once, or only when the next telegram says much the same.

A CRC-16 lets one of 65 536 heavy accidents pass, and meters from before DSMR 4 send none. A digit too high would be worse than a
lost telegram: a counter never falls, so all true values behind it would be refused.
"""

_MILLI_PER_UNIT_H = 1000 / 3600
# By unit: what may always come at once, and what a second may bring; in thousandths.
# 100 kW and 100 m3/h are more than any house has.
_MOST_GROWTH = {
    "Wh": (1_000_000, 100_000 * _MILLI_PER_UNIT_H),
    "varh": (1_000_000, 100_000 * _MILLI_PER_UNIT_H),
    "L": (1_000_000, 100_000 * _MILLI_PER_UNIT_H),
}


class Trust:
    """Counters by sensor id, as they were believed last."""

    def __init__(self) -> None:
        self._believed: dict[str, tuple[int, float]] = {}  # value, and when (monotonic)
        self._doubted: dict[str, tuple[int, float]] = {}

    def knows(self, sensor_id: str) -> bool:
        """Whether a value of it was believed before."""
        return sensor_id in self._believed

    def believes(self, sensor_id: str, milli: int, unit: str, now_s: float, *, sure: bool) -> bool:
        """Whether this value may be taken. ``sure``: the telegram had a CRC, so that a first value needs no witness.

        A value that fell is none of its matters: whoever counts refuses it.
        """
        last = self._believed.get(sensor_id)
        if not (sure if last is None else _possible(last, milli, unit, now_s)):
            doubted = self._doubted.get(sensor_id)
            self._doubted[sensor_id] = milli, now_s
            if doubted is None or milli < doubted[0] or not _possible(doubted, milli, unit, now_s):
                return False
        self._doubted.pop(sensor_id, None)
        if last is None or milli >= last[0]:
            self._believed[sensor_id] = milli, now_s
        return True


def _possible(before: tuple[int, float], milli: int, unit: str, now_s: float) -> bool:
    if unit not in _MOST_GROWTH:
        return True
    at_once, each_s = _MOST_GROWTH[unit]
    return milli - before[0] <= at_once + each_s * (now_s - before[1])
