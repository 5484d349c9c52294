"""What kubes measure, as sensors that are told; and counts that go on when a kube starts anew."""

from fluksometer.shared.kube import ERRORS, FLK01A, FLK01B, SENSORS

from .kubes import Kube
from .told import ToldSensor

TYPE_NAMES = {FLK01A: "FLK01A", FLK01B: "FLK01B"}
_BITS = {"movement": 32, "vibration": 16}  # of the counters in the packets
_WRAP_SHARE = 4  # a count that fell has wrapped if that makes it rise by less than this part of its range


def kube_sensor(node: int, kube: Kube, name: str) -> ToldSensor:
    """One quantity of a kube. Events (movement, vibration) are not kept by the broker: a client that comes late would take the
    last one for a new one."""
    unit, counts = SENSORS[name]
    return ToldSensor(
        sensor_id=kube.sensors[name],
        sensor_class="kube",
        kind=name,
        function=f"{called(node, kube)} {name}",
        unit=unit,
        counts=counts,
        retain=not counts,
        more=(("kid", node),),
    )


def called(node: int, kube: Kube) -> str:
    """A kube's name for people: given, or by its node."""
    return kube.name or f"kube {node}"


def error_names(kube: Kube, mask: int) -> list[str]:
    """What the bits of an error value mean; of an FLK01A nobody has said it."""
    if kube.hw_type != FLK01B:
        return [f"error {mask}"] if mask else []
    return [name for bit, name in enumerate(ERRORS) if mask >> bit & 1]


class RunningCount:
    """A total that goes on when the count it follows begins at 0 again, or wraps."""

    def __init__(self, name: str) -> None:
        self._range = 1 << _BITS[name]
        self._last: int | None = None
        self._total = 0
        self.restarted = False
        """The kube has started anew since its last count: this is set when it is known."""

    def state(self) -> list[int | None]:
        """What it has to know after a restart of the bridge, for JSON."""
        return [self._last, self._total]

    def restore(self, state: list[int | None]) -> None:
        """Go on where state() was."""
        self._last, total = state
        self._total = total or 0

    def take(self, count: int) -> int | None:
        """The total with this count of the kube; None when there is nothing new."""
        last = 0 if self.restarted or self._last is None else self._last
        grown = count - last
        if grown < 0:
            wrapped = grown + self._range
            grown = wrapped if wrapped < self._range // _WRAP_SHARE else count
        self._last, self.restarted = count, False
        self._total += grown
        return self._total if grown else None
