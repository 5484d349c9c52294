"""Present values, totals and health in Prometheus' text format 0.0.4: base units, totals end with _total."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from .live_sensors import LiveSensor
from .points import Point

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "flukso_"
# Unit: name, help, how many of the base unit one is.
_GAUGES: Final = {
    "W": ("power_watts", "Present power; below 0 flows back", Fraction(1)),
    "VA": ("apparent_power_voltamperes", "Present apparent power", Fraction(1)),
    "var": ("reactive_power_vars", "Present reactive power", Fraction(1)),
    "V": ("volts", "Present voltage", Fraction(1)),
    "A": ("amperes", "Present current", Fraction(1)),
    "Hz": ("hertz", "Frequency of the mains", Fraction(1)),
    "L/day": ("flow_cubic_meters_per_second", "Present flow", Fraction(1, 86_400_000)),
    "°C": ("temperature_celsius", "Temperature", Fraction(1)),
    "%": ("humidity_ratio", "Relative humidity, 0 to 1", Fraction(1, 100)),
    "Pa": ("pressure_pascals", "Pressure of the air", Fraction(1)),
    "lx": ("illuminance_lux", "Light", Fraction(1)),
}
_COUNTERS: Final = {
    "Wh": ("energy_joules_total", "Energy", Fraction(3600)),
    "varh": ("reactive_energy_varseconds_total", "Reactive energy", Fraction(3600)),
    "MJ": ("heat_joules_total", "Energy of heating or cooling", Fraction(1_000_000)),
    "GJ": ("heat_joules_total", "Energy of heating or cooling", Fraction(1_000_000_000)),
    "": ("events_total", "Events that were counted", Fraction(1)),
}
_VOLUMES: Final = {"gas": "gas_cubic_meters_total", "water": "water_cubic_meters_total"}
_STATES: Final = {"ok": 0, "degraded": 1, "fault": 2}
_OF_SINK: Final = (
    ("waiting", "spool_depth", "gauge", "Readings that wait for a sink"),
    ("up", "sink_up", "gauge", "1 while a sink delivers"),
    ("oldest_s", "spool_oldest_seconds", "gauge", "Age of the oldest reading that waits for a sink"),
    ("dropped", "sink_dropped_total", "counter", "Readings that gave way before a sink had them"),
)
_OF_BOARD: Final = (
    ("uptime_s", "board_uptime_seconds", "gauge", "Since the board started"),
    ("heap_free", "board_heap_free_bytes", "gauge", "Free memory of the board"),
    ("gap_samples", "board_gap_samples_total", "counter", "Samples that the board lost since it started"),
)

Labels = Mapping[str, str]


@dataclass(slots=True)
class Family:
    """All samples of one name."""

    kind: str
    about: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)


class Exposition:
    """Samples, gathered by name."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    def add(self, name: str, kind: str, about: str, value: object, **labels: str) -> None:
        """A sample. What is no number is left out."""
        if isinstance(value, int | float | Fraction):
            self._families.setdefault(_PREFIX + name, Family(kind, about)).samples.append((labels, float(value)))

    @property
    def text(self) -> str:
        """What is served."""
        lines = []
        for name, family in self._families.items():
            lines += [f"# HELP {name} {family.about}", f"# TYPE {name} {family.kind}"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
        return "\n".join(lines) + "\n"


def exposition(
    sensors: Iterable[LiveSensor], health: Mapping[str, Any], counts: Mapping[str, object], version: str
) -> str:
    """All of it. ``health``: as published by MQTT; ``counts``: of the terminals, by name."""
    found = Exposition()
    found.add("build_info", "gauge", "Version of the bridge", 1, version=version)
    for sensor in sensors:
        _add_sensor(found, sensor)
    _add_health(found, health)
    for name, value in counts.items():
        terminal, _, what = name.partition("_")
        if terminal == "p1" and (what == "telegrams" or what.startswith("bad_")):
            result = "ok" if what == "telegrams" else what.removeprefix("bad_")
            found.add("p1_telegrams_total", "counter", "Telegrams of the smart meter", value, result=result)
    return found.text


def _add_sensor(found: Exposition, sensor: LiveSensor) -> None:
    section = sensor.section
    labels = {"sensor": sensor.sensor_id} | {name: str(section.get(name, "")) for name in ("function", "type")}
    if sensor.gauge:
        known = _GAUGES.get(sensor.gauge.unit)
        name, about, factor = known or ("value", "A present value in a unit of its own", Fraction(1))
        more = labels if known else labels | {"unit": sensor.gauge.unit}
        found.add(name, "gauge", about, factor * sensor.gauge.milli / 1000, **more)
    if sensor.counter:
        _add_total(found, sensor.counter, labels, section)
    if sensor.last_s is not None:
        about = "Time of the last reading"
        found.add("last_reading_timestamp_seconds", "gauge", about, sensor.last_s, sensor=sensor.sensor_id)


def _add_total(found: Exposition, point: Point, labels: dict[str, str], section: Mapping[str, object]) -> None:
    if point.unit == "L":
        name, about, factor = _VOLUMES.get(labels["type"], "volume_cubic_meters_total"), "Volume", Fraction(1, 1000)
    else:
        name, about, factor = _COUNTERS.get(point.unit, ("value_total", "A total in a unit of its own", Fraction(1)))
        if section.get("class") == "cosem" and labels["function"].endswith(" net"):  # import less export: it falls
            about = "Import less export"
            found.add("net_energy_joules", "gauge", about, factor * point.milli / 1000, **labels)
            return
        if point.unit == "Wh":
            exports = section.get("direction") == "export" or "export" in labels["function"].split()
            labels = labels | {"direction": "export" if exports else "import"}
        elif point.unit not in _COUNTERS:
            labels = labels | {"unit": point.unit}
    found.add(name, "counter", about, factor * point.milli / 1000, **labels)


def _add_health(found: Exposition, health: Mapping[str, Any]) -> None:
    if not health:
        return
    about = "0: ok, 1: degraded, 2: fault"
    found.add("health", "gauge", about, _STATES.get(health.get("state", "")))
    found.add("faults", "gauge", "Present faults", len(health.get("faults", ())) + health.get("faults_left_out", 0))
    for quality, count in health.get("qualities", {}).items():
        found.add("sensors", "gauge", "Sensors by the quality of their readings", count, quality=quality)
    for key, name, kind, about in _OF_SINK:
        for sink, state in health.get("sinks", {}).items():
            found.add(name, kind, about, state.get(key), sink=sink)
    for what, count in health.get("link", {}).items():
        if what == "up":
            found.add("link_up", "gauge", "1 while the board's port is open", count)
        else:
            found.add("link_events_total", "counter", "Of the link to the board", count, what=what)
    for key, name, kind, about in _OF_BOARD:
        found.add(name, kind, about, health.get("board", {}).get(key))
    found.add("ledger_bytes", "gauge", "Size of the ledger", health.get("ledger", {}).get("bytes"))
    found.add("clock_trusted", "gauge", "1 while the clock is trusted", health.get("clock", {}).get("trusted"))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = (
        (name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels.items()
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
