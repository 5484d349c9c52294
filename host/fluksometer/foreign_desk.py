"""Takes in what others publish on the broker under the ids of configured foreign sensors.

These readings go to every sink but MQTT: there they are already, from their publisher. So the bridge never hears itself.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from fluksometer.config_foreign import ForeignTable
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.foreign import UNITS, ForeignRefused, foreign_reading
from fluksometer.domain.readings import Hello
from fluksometer.domain.told import ToldBook


class ForeignDesk(Desk):
    """One for all foreign sensors."""

    def __init__(self, tables: Sequence[ForeignTable], told: ToldBook, clock: Callable[[], HostTime]) -> None:
        self._tables = {f"/sensor/{one.id}/{one.data_type}": one for one in tables}
        self._flows = {
            f"/sensor/{one.id}/gauge": one for one in tables if one.data_type == "counter" and one.kind in UNITS
        }
        self.topics = (*self._tables, *self._flows)
        self._told, self._clock = told, clock
        self._said: list[Said] = []
        self._counts: Counter[str] = Counter()
        self._faults: list[Fault] = []
        for one in tables:
            told.know(one.sensor)

    def want(self, topic: str, payload: bytes) -> None:
        """As Desk."""
        table = self._tables.get(topic) or self._flows.get(topic)
        if table is None:
            return
        known = self._told.sensors.get(table.id)
        try:
            if known and known.sensor_class != table.sensor.sensor_class:
                raise ForeignRefused("the id is that of another sensor: give this one an id of its own")
            self._take(table, topic, payload)
        except ForeignRefused as refused:
            self._counts["foreign_refused"] += 1
            self._faults.append(("foreign_refused", {"function": table.function, "reason": str(refused)}))

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """As Desk."""
        said, self._said = self._said, []
        return said, []

    def warnings(self) -> list[Fault]:
        """As Desk."""
        faults, self._faults = self._faults, []
        return faults

    def summary(self) -> dict[str, object]:
        """As Desk."""
        return dict(self._counts)

    def _take(self, table: ForeignTable, topic: str, payload: bytes) -> None:
        sensor, now_s = table.sensor, self._clock().wall_s
        if topic in self._tables:
            reading = foreign_reading(payload, sensor.unit, counts=sensor.counts, now_s=now_s)
            fallen = self._told.refused[table.id]
            points = self._told.take(sensor, reading.milli, reading.time_s)
            if self._told.refused[table.id] > fallen:
                raise ForeignRefused("a total that fell")
        else:
            unit = UNITS[table.kind][1]
            reading = foreign_reading(payload, unit, counts=False, now_s=now_s)
            points = self._told.take_flow(sensor, reading.milli, unit, reading.time_s)
        self._counts["foreign"] += len(points)
        self._said += points
