"""The bridge's configuration file: typed values, every fault at once (docs/configuration.md)."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from fluksometer.config_sensors import SensorTable, all_faults, class_of, ports_of, tables
from fluksometer.config_serial import ModbusTable, Rs485Table, serial_faults
from fluksometer.config_values import matching, that, within
from fluksometer.domain.hosts import is_host, is_ipv4
from fluksometer.domain.meters import pairs_mask
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.faults import FileFaults, Table, read_toml
from fluksometer.shared.records import MAX_CONVERSIONS_HZ, MIN_CONVERSIONS_HZ, PULSE_PORTS

_PASSWORD_MOST = 1024  # characters

_Port = Annotated[int, AfterValidator(within(1, 65535))]
_Name = Annotated[
    str,
    AfterValidator(that(lambda name: len(name) in range(1, 65) and name.isprintable(), "1 to 64 printable characters")),
]
_Host = Annotated[str, AfterValidator(that(is_host, "'embedded', or a host name or address without mqtt:// and port"))]
_Listen = Annotated[str, AfterValidator(that(is_ipv4, "an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"))]
_Text = Annotated[str, AfterValidator(matching(re.compile(r"[^\0]{1,1024}"), "1 to 1024 characters"))]


def _one_of(*values: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value not in values:
            raise ValueError(" or ".join(map(str, values)))
        return value

    return check


class DeviceTable(Table):
    """``[device]``: who this Fluksometer is."""

    name: _Name = "fluksometer"
    state: _Text | None = None  # directory; None: the user's state directory


class BoardTable(Table):
    """``[board]``: the sensor board and how it measures."""

    port: _Text = "auto"
    rate_hz: Annotated[int, AfterValidator(within(100, 100_000))] = 20_000
    min_width_ms: Annotated[float, AfterValidator(within(0, 1000))] = 5.0
    linearity: _Text = "chip"  # "chip": the chip's default table; "none"; or the file of a table
    mains_hz: Annotated[int, AfterValidator(_one_of(50, 60))] = 50


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


class Config(Table):
    """The whole file."""

    device: DeviceTable = DeviceTable()
    board: BoardTable = BoardTable()
    mqtt: MqttTable = MqttTable()
    sensor: list[SensorTable]
    rs485: Rs485Table | None = None
    modbus: list[ModbusTable] = Field(default_factory=list)

    @classmethod
    def cross_faults(cls, values: dict[str, Any]) -> list[str]:
        """Faults between keys and between sensors."""
        sensors = tables(values.get("sensor"))
        faults = all_faults(sensors)
        if values.get("sensor") == []:
            faults.append("sensor: at least one is needed")
        return (
            faults
            + _rate_faults(values.get("board"), sensors)
            + _mqtt_faults(values.get("mqtt"))
            + serial_faults(values)
        )

    def sensors(self, ids: Callable[[int, SensorClass, str], str]) -> list[Sensor]:
        """The configured sensors; ``ids`` answers the kept id of a port, class and direction."""
        return [
            table.sensor("" if table.id else ids(table.port, table.sensor_class, table.direction))
            for table in self.sensor
        ]

    def board_settings(self) -> BoardSettings:
        """What the board is asked to do for the enabled sensors."""
        enabled = [sensor for sensor in self.sensors(lambda *_: "") if sensor.enabled]
        masks = dict.fromkeys(SensorClass, 0)
        for sensor in enabled:
            for port in sensor.ports:
                masks[sensor.sensor_class] |= 1 << (port - 1)
        return BoardSettings(
            rate_hz=self.board.rate_hz,
            clamp_ports=masks[SensorClass.ANALOG] | masks[SensorClass.VOLTAGE],
            pulse_ports=masks[SensorClass.PULSE],
            **{f"width_us_{port}": round(self.board.min_width_ms * 1000) for port in PULSE_PORTS},
            voltage_port=masks[SensorClass.VOLTAGE].bit_length(),
            pairs=pairs_mask(enabled),
            serial_baud=self.rs485.baud if self.rs485 else 0,
            serial_format=self.rs485.wire_format if self.rs485 else 0,
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


# --- faults between keys ---


def _rate_faults(board: object, sensors: list[dict[str, Any]]) -> list[str]:
    rate_hz = board.get("rate_hz", 20_000) if isinstance(board, dict) else 20_000
    analog = [one for one in sensors if one.get("enable") is not False and class_of(one) is not SensorClass.PULSE]
    clamps = len({port for one in analog for port in ports_of(one) if port in (1, 2, 3)})
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
