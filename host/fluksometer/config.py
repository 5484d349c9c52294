"""The bridge's configuration file: typed values, every fault at once (docs/configuration.md)."""

import os
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from fluksometer.domain.clamp_models import ClampModel, clamp_models, known_model
from fluksometer.domain.hosts import is_host, is_ipv4
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import Medium, Sensor, SensorClass
from fluksometer.faults import FileFaults, Table, read_toml, shown
from fluksometer.shared.records import MAX_CONVERSIONS_HZ, MIN_CONVERSIONS_HZ

CLAMP_PORTS = range(1, 4)
PULSE_PORTS = range(2, 6)
_FUNCTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,15}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}")
_PASSWORD_MOST = 1024  # characters
_ANALOG_KEYS = ("clamp_a", "model", "voltage_v")
_PULSE_KEYS = ("constant",)


def _within(low: float, high: float) -> Callable[[Any], Any]:
    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"{low} to {high}")
        return value

    return check


def _matching(pattern: re.Pattern[str], limit: str) -> Callable[[str], str]:
    return _that(lambda value: pattern.fullmatch(value) is not None, limit)


def _that(is_right: Callable[[str], bool], limit: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not is_right(value):
            raise ValueError(limit)
        return value

    return check


def _thousandths(low: str, high: str) -> Callable[[object], int]:
    # Exact: 0.1 in the file is 100 thousandths, not the nearest binary fraction.
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a number")
        milli = Decimal(str(value)) * 1000 if 0 < value < 65_536 else Decimal(0)
        if milli != int(milli) or not Decimal(low) * 1000 <= milli <= Decimal(high) * 1000:
            raise ValueError(f"{low} to {high}, with at most 3 decimals")
        return int(milli)

    return check


def _medium(value: object) -> Medium:
    if value not in list(Medium):
        raise ValueError("'electricity', 'gas' or 'water'")
    return Medium(str(value))


def _sensor_class(value: object) -> SensorClass:
    if value not in list(SensorClass):
        raise ValueError("'analog' or 'pulse'")
    return SensorClass(str(value))


_Port = Annotated[int, AfterValidator(_within(1, 65535))]
_Name = Annotated[
    str,
    AfterValidator(
        _that(lambda name: len(name) in range(1, 65) and name.isprintable(), "1 to 64 printable characters")
    ),
]
_Host = Annotated[str, AfterValidator(_that(is_host, "'embedded', or a host name or address without mqtt:// and port"))]
_Listen = Annotated[str, AfterValidator(_that(is_ipv4, "an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"))]
_Text = Annotated[str, AfterValidator(_matching(re.compile(r"[^\0]{1,1024}"), "1 to 1024 characters"))]


class DeviceTable(Table):
    """``[device]``: who this Fluksometer is."""

    name: _Name = "fluksometer"
    state: _Text | None = None  # directory; None: the user's state directory


class BoardTable(Table):
    """``[board]``: the sensor board and how it measures."""

    port: _Text = "auto"
    rate_hz: Annotated[int, AfterValidator(_within(100, 100_000))] = 20_000
    min_width_ms: Annotated[float, AfterValidator(_within(0, 1000))] = 5.0


class MqttTable(Table):
    """``[mqtt]``: where readings are published."""

    broker: _Host = "embedded"
    port: _Port = 1883
    listen: _Listen | None = None  # embedded only; None: the loopback
    username: _Text | None = None
    password_file: _Text | None = None

    @property
    def embedded(self) -> bool:
        """Whether the bridge starts a broker of its own."""
        return self.broker == "embedded"

    @property
    def listen_host(self) -> str:
        """Address the embedded broker is bound to."""
        return self.listen or "127.0.0.1"

    @property
    def client_host(self) -> str:
        """Host the bridge connects to."""
        if not self.embedded:
            return self.broker
        return "127.0.0.1" if self.listen_host == "0.0.0.0" else self.listen_host


class SensorTable(Table):
    """``[[sensor]]``: one port of the board."""

    port: Annotated[int, AfterValidator(_within(1, 5))]
    function: Annotated[
        str,
        AfterValidator(
            _matching(_FUNCTION, "1 to 16 letters, digits, _, spaces or hyphens; no space or hyphen at the start")
        ),
    ]
    medium: Annotated[Medium, BeforeValidator(_medium)] = Field(Medium.ELECTRICITY, alias="type")
    explicit_class: Annotated[SensorClass, BeforeValidator(_sensor_class)] | None = Field(None, alias="class")
    clamp_milli: Annotated[int, BeforeValidator(_thousandths("0.1", "10000"))] | None = Field(None, alias="clamp_a")
    model: Annotated[str, AfterValidator(known_model)] | None = None
    voltage_v: Annotated[int, AfterValidator(_within(1, 999))] | None = None
    constant_milli: Annotated[int, BeforeValidator(_thousandths("0.001", "65535.999"))] | None = Field(
        None, alias="constant"
    )
    enable: bool = True
    id: Annotated[str, AfterValidator(_matching(_ID, "32 lower-case hex digits"))] | None = None

    @property
    def sensor_class(self) -> SensorClass:
        """The class given, or the one that the keys and the port tell."""
        given = self.explicit_class.value if self.explicit_class else None
        derived = _class_of({"class": given, **self.model_dump(by_alias=True, exclude={"explicit_class"})})
        assert derived is not None
        return derived

    @property
    def clamp_model(self) -> ClampModel | None:
        """The preset that ``model`` names."""
        return clamp_models()[self.model] if self.model else None

    @property
    def clamp_a(self) -> Fraction:
        """A rms that give 1 V rms at the pin: of the preset, or as given."""
        return self.clamp_model.a_per_v if self.clamp_model else Fraction(self.clamp_milli or 50_000, 1000)

    @property
    def phase_deg(self) -> float:
        """Lead of the preset's output over its current, degrees at 50 Hz; 0 when none is known."""
        return (self.clamp_model.phase_deg if self.clamp_model else None) or 0.0


class Config(Table):
    """The whole file."""

    device: DeviceTable = DeviceTable()
    board: BoardTable = BoardTable()
    mqtt: MqttTable = MqttTable()
    sensor: list[SensorTable]

    @classmethod
    def cross_faults(cls, values: dict[str, Any]) -> list[str]:
        """Faults between keys and between sensors."""
        sensors = _tables(values.get("sensor"))
        faults = [fault for index, sensor in enumerate(sensors) for fault in _sensor_faults(f"sensor[{index}]", sensor)]
        if values.get("sensor") == []:
            faults.append("sensor: at least one is needed")
        faults += _repeated(sensors, "port") + _repeated(sensors, "function") + _repeated(sensors, "id")
        return faults + _rate_faults(values.get("board"), sensors) + _mqtt_faults(values.get("mqtt"))

    def sensors(self, ids: Callable[[int, SensorClass], str]) -> list[Sensor]:
        """The configured sensors; ``ids`` answers the kept id of a port and class."""
        return [
            Sensor(
                sensor_id=table.id or ids(table.port, table.sensor_class),
                port=table.port,
                sensor_class=table.sensor_class,
                medium=table.medium,
                function=table.function,
                enabled=table.enable,
                clamp_a=table.clamp_a,
                voltage_v=table.voltage_v or 230,
                constant_milli=table.constant_milli or 1000,
                phase_deg=table.phase_deg,
            )
            for table in self.sensor
        ]

    def board_settings(self) -> BoardSettings:
        """What the board is asked to do for the enabled sensors."""
        masks = {SensorClass.ANALOG: 0, SensorClass.PULSE: 0}
        for table in self.sensor:
            masks[table.sensor_class] |= table.enable << (table.port - 1)
        return BoardSettings(
            rate_hz=self.board.rate_hz,
            clamp_ports=masks[SensorClass.ANALOG],
            pulse_ports=masks[SensorClass.PULSE],
            min_width_us=round(self.board.min_width_ms * 1000),
        )


def read_config(path: Path) -> Config:
    """Read and check a configuration file. Raises FileFaults with all its faults."""
    return read_toml(path, Config)


def state_dir(config: Config, source: Path) -> Path:
    """Where ids are kept: ``device.state`` (relative to the file's directory), or the user's state directory."""
    if config.device.state:
        return _beside(source, "device.state", config.device.state)
    home = os.environ.get("XDG_STATE_HOME")
    return Path(home) / "fluksometer" if home else _beside(source, "device.state", "~/.local/state/fluksometer")


def _beside(source: Path, key: str, path: str) -> Path:
    # Relative paths begin where the configuration is.
    try:
        return source.absolute().parent / Path(path).expanduser()
    except RuntimeError as error:
        raise FileFaults(str(source), [f"{key}: {path}: there is no such home directory, name one"]) from error


def read_login(config: Config, source: Path) -> tuple[str, str | None] | None:
    """User name and password for the broker; the password file's path is relative to the configuration's directory."""
    if config.mqtt.username is None:
        return None
    if config.mqtt.password_file is None:
        return config.mqtt.username, None
    path = _beside(source, "mqtt.password_file", config.mqtt.password_file)
    try:
        password = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise FileFaults(str(source), [f"mqtt.password_file: {path} can't be read: {reason}"]) from error
    if not password or "\n" in password or len(password) > _PASSWORD_MOST:
        raise FileFaults(str(source), [f"mqtt.password_file: {path} must hold one line, the password"])
    return config.mqtt.username, password


# --- faults between keys: these look at the raw file and bear any type in it ---


def _tables(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [one if isinstance(one, dict) else {} for one in value]


def _class_of(sensor: dict[str, Any]) -> SensorClass | None:
    """``class`` if given; else pulse with a constant, analog with one of its keys; else by port. None: can't be told."""
    given = sensor.get("class")
    if given is not None:
        return SensorClass(given) if given in list(SensorClass) else None
    pulse = any(sensor.get(key) is not None for key in _PULSE_KEYS)
    analog = any(sensor.get(key) is not None for key in _ANALOG_KEYS)
    if pulse and analog:
        return None
    if pulse or analog:
        return SensorClass.PULSE if pulse else SensorClass.ANALOG
    port = sensor.get("port")
    if not isinstance(port, int):
        return None
    return SensorClass.ANALOG if port in CLAMP_PORTS else SensorClass.PULSE


def _sensor_faults(path: str, sensor: dict[str, Any]) -> list[str]:
    kind = _class_of(sensor)
    if kind is None:
        both = "class" not in sensor and "constant" in sensor and any(key in sensor for key in _ANALOG_KEYS)
        return [
            f"{path}: clamp_a, model and voltage_v are for analog sensors, constant for pulse sensors: not both"
        ] * both
    faults = []
    foreign = _PULSE_KEYS if kind is SensorClass.ANALOG else _ANALOG_KEYS
    faults += [f"{path}.{key}: not for a sensor of class {kind}" for key in foreign if key in sensor]
    if "clamp_a" in sensor and "model" in sensor:
        faults.append(f"{path}: clamp_a or model, not both: the model already says how many A give 1 V")
    ports = CLAMP_PORTS if kind is SensorClass.ANALOG else PULSE_PORTS
    port = sensor.get("port")
    if isinstance(port, int) and 1 <= port <= 5 and port not in ports:
        faults.append(f"{path}.port: {port} is not allowed: {ports[0]} to {ports[-1]} for a sensor of class {kind}")
    medium = sensor.get("type")
    if kind is SensorClass.ANALOG and medium in (Medium.GAS, Medium.WATER):
        faults.append(f"{path}.type: {medium!r} is not allowed: 'electricity' for a sensor of class analog")
    return faults


def _repeated(sensors: list[dict[str, Any]], key: str) -> list[str]:
    first: dict[Any, int] = {}
    faults = []
    for index, sensor in enumerate(sensors):
        value = sensor.get(key)
        if not isinstance(value, int | str) or isinstance(value, bool):
            continue
        if value in first:
            faults.append(f"sensor[{index}].{key}: {shown(value)} is already that of sensor[{first[value]}]")
        else:
            first[value] = index
    return faults


def _rate_faults(board: object, sensors: list[dict[str, Any]]) -> list[str]:
    rate_hz = board.get("rate_hz", 20_000) if isinstance(board, dict) else 20_000
    clamps = sum(_class_of(one) is SensorClass.ANALOG and one.get("enable") is not False for one in sensors)
    if not isinstance(rate_hz, int) or not 100 <= rate_hz <= 100_000 or not clamps:
        return []
    low, high = -(-MIN_CONVERSIONS_HZ // clamps), min(MAX_CONVERSIONS_HZ // clamps, 100_000)
    if low <= rate_hz <= high:
        return []
    return [f"board.rate_hz: {rate_hz} is not allowed: {low} to {high} with {clamps} clamp{'s' if clamps > 1 else ''}"]


def _mqtt_faults(mqtt: object) -> list[str]:
    if not isinstance(mqtt, dict):
        return []
    faults = []
    if mqtt.get("broker", "embedded") == "embedded":
        names = [key for key in ("username", "password_file") if key in mqtt]
        faults += [f"mqtt.{key}: only for another broker; the embedded one asks for no login" for key in names]
    elif "listen" in mqtt:
        faults.append('mqtt.listen: only with broker = "embedded"')
    if "password_file" in mqtt and "username" not in mqtt:
        faults.append("mqtt.password_file: needs mqtt.username")
    return faults
