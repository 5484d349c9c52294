"""What a listener knows about the sensors it hears on MQTT. Any bytes may come; what can't be read is counted."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_READING = re.compile(r"/sensor/([0-9a-f]{32})/(gauge|counter)")
_CONFIG = re.compile(r"/device/([0-9a-f]{32})/config/sensor")
_HEALTH = re.compile(r"/device/([0-9a-f]{32})/health")
_SECOND_END = 1e11
_AMOUNT_END = 1e15
_NAME_MOST = 64
_SAYS_MOST = 200
_FAULTS_MOST = 5  # of a device
_HEALTH_FRESH_S = 180  # it comes each minute
_FRESH_S = 15  # a retained reading not older than this is as good as a live one


@dataclass(frozen=True, slots=True)
class Value:
    """One reading as published."""

    second: int
    amount: float
    unit: str

    @property
    def text(self) -> str:
        """Amount and unit for people."""
        return f"{self.amount:.3f}".rstrip("0").rstrip(".") + f" {self.unit}".rstrip()


@dataclass(slots=True)
class Row:
    """One sensor as far as it is known."""

    sensor_id: str
    name: str = ""
    medium: str = ""
    port: int = 99
    device_id: str = ""
    gauge: Value | None = None
    counter: Value | None = None

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the newest reading."""
        seconds = [value.second for value in (self.gauge, self.counter) if value]
        return max(0.0, now_s - max(seconds)) if seconds else None


@dataclass(slots=True)
class LiveTable:
    """Rows by sensor id; ``fresh`` holds the kinds of readings (gauge, counter) that came live."""

    rows: dict[str, Row] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    unreadable: int = 0
    _health: dict[str, tuple[float, list[str]]] = field(default_factory=dict)  # by device: when, and lines

    def take(self, topic: str, payload: bytes, *, retained: bool, now_s: float) -> None:
        """One message."""
        try:
            if match := _READING.fullmatch(topic):
                self._take_reading(match[1], match[2], json.loads(payload), retained, now_s)
            elif match := _CONFIG.fullmatch(topic):
                self._take_config(match[1], json.loads(payload))
            elif match := _HEALTH.fullmatch(topic):
                self._take_health(match[1], json.loads(payload), now_s)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError):
            self.unreadable += 1

    def health_lines(self, now_s: float) -> list[str]:
        """How each device fares: its state, and what helps against its faults. What is no longer told is left out."""
        fresh = [lines for at_s, lines in self._health.values() if now_s - at_s < _HEALTH_FRESH_S]
        return [line for lines in fresh for line in lines]

    def sorted_rows(self) -> list[Row]:
        """By device and port; sensors nobody described last."""
        return sorted(self.rows.values(), key=lambda row: (row.device_id or "~", row.port, row.sensor_id))

    def lacking(self) -> str | None:
        """Why this is not yet a working Fluksometer; None when gauge and counter came live."""
        if not self.rows:
            return "no sensor was heard: is a bridge connected to this broker?"
        only_volts = all(row.gauge and row.gauge.unit == "V" for row in self.rows.values())
        needed = ("gauge",) if only_volts else ("gauge", "counter")
        missing = [kind for kind in needed if kind not in self.fresh]
        return (
            f"no fresh {' and no '.join(missing)} was heard: is the board connected to the bridge?" if missing else None
        )

    def _take_reading(self, sensor_id: str, kind: str, reading: list[object], retained: bool, now_s: float) -> None:
        second, amount = reading[0], reading[1]
        if not isinstance(second, int | float) or not isinstance(amount, int | float):
            raise TypeError("numbers")
        if not (0 <= second < _SECOND_END and abs(amount) < _AMOUNT_END):  # nor infinite, nor no number
            raise ValueError("out of any range")
        value = Value(int(second), float(amount), _clean(reading[2]) if len(reading) > 2 else "")
        row = self.rows.setdefault(sensor_id, Row(sensor_id))
        if kind == "gauge":
            row.gauge = value
        else:
            row.counter = value
        if not retained or now_s - value.second < _FRESH_S:
            self.fresh.add(kind)

    def _take_config(self, device_id: str, sections: dict[str, dict[str, object]]) -> None:
        for section in sections.values():
            sensor_id = section.get("id")
            if not isinstance(sensor_id, str) or not section.get("enable"):
                continue
            row = self.rows.setdefault(sensor_id, Row(sensor_id))
            ports = section.get("port")
            row.name, row.medium = _clean(section.get("function", "")), _clean(section.get("type", ""))
            row.device_id = device_id
            row.port = ports[0] if isinstance(ports, list) and ports and isinstance(ports[0], int) else 99

    def _take_health(self, device_id: str, health: dict[str, Any], now_s: float) -> None:
        time_s = now_s if health["time"] is None else float(health["time"])
        lines = [f"health: {_clean(health['state'])}"]
        lines += [_clean(fault["says"], _SAYS_MOST) for fault in health["faults"][:_FAULTS_MOST]]
        self._health[device_id] = time_s, lines


def _clean(text: object, most: int = _NAME_MOST) -> str:
    # Anybody may publish: nothing that steers a terminal gets onto one.
    return "".join(one if one.isprintable() else " " for one in str(text)[:most])
