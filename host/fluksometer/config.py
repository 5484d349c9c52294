"""The bridge's configuration file: typed values, every fault at once (docs/configuration.md)."""

import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from fluksometer.config_foreign import ForeignTable, foreign_faults
from fluksometer.config_home import HomeAssistantTable, MdnsTable
from fluksometer.config_influx import InfluxTable, influx_faults
from fluksometer.config_mqtt import MqttTable, mqtt_faults, read_mqtt_login, read_mqtt_tls
from fluksometer.config_p1 import P1Table, p1_faults
from fluksometer.config_pulses import DEFAULT_MODEL, MODELS, model_faults
from fluksometer.config_sensors import SensorTable, all_faults, class_of, ports_of, tables
from fluksometer.config_serial import ModbusTable, Rs485Table, serial_faults
from fluksometer.config_server import ServerTable, server_faults
from fluksometer.config_tmpo import TmpoTable
from fluksometer.config_upload import UploadTable, upload_faults
from fluksometer.config_values import beside, matching, one_of, that, within
from fluksometer.config_web import WebTable, web_faults
from fluksometer.domain.meters import pairs_mask
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.faults import FileFaults, Table, read_toml
from fluksometer.mqtt_tls import Tls
from fluksometer.p1_keys import P1Keys, read_keys
from fluksometer.shared.kube import PAIR_GROUP, collect_group
from fluksometer.shared.records import (
    MAX_CONVERSIONS_HZ,
    MIN_CONVERSIONS_HZ,
    PULSE_PORTS,
    RADIO_FLUKSO,
    RADIO_JEENODE,
    RADIO_OFF,
)
from fluksometer.shared.rf12 import GROUPS

_Name = Annotated[
    str,
    AfterValidator(that(lambda name: len(name) in range(1, 65) and name.isprintable(), "1 to 64 printable characters")),
]
_Text = Annotated[str, AfterValidator(matching(re.compile(r"[^\0]{1,1024}"), "1 to 1024 characters"))]


_BoardPort = Annotated[
    str,
    AfterValidator(
        matching(
            re.compile(r"auto|usb:[0-9A-Za-z._-]{1,64}|(?!auto$|usb:)[^\0]{1,1024}"),
            "'auto', a path as '/dev/ttyACM0', or 'usb:' and the board's USB serial number, as 'usb:e66141040396962a'",
        )
    ),
]


class DeviceTable(Table):
    """``[device]``: who this Fluksometer is."""

    name: _Name = "fluksometer"
    state: _Text | None = None  # directory; None: the user's state directory
    ledger_mb: Annotated[int, AfterValidator(within(16, 1_000_000))] = 1000  # what totals and unsent readings may take
    clock: Literal["wait", "trust"] = "wait"  # what to do with a clock that nobody has set since the host started


class BoardTable(Table):
    """``[board]``: the sensor board and how it measures."""

    port: _BoardPort = "auto"
    rate_hz: Annotated[int, AfterValidator(within(100, 100_000))] = 20_000
    model: Annotated[str, AfterValidator(one_of(*MODELS))] = DEFAULT_MODEL
    linearity: _Text = "chip"  # "chip": the chip's default table; "none"; or the file of a table
    mains_hz: Annotated[int, AfterValidator(one_of(50, 60))] = 50


class RadioTable(Table):
    """``[radio]``: sensor nodes; without the table the radio is off."""

    network: Literal["flukso", "jeenode"] = "flukso"
    group: Annotated[int, AfterValidator(within(1, GROUPS))] | None = None  # None: by the device's id; JeeNodes: 212
    images: _Text | None = None  # directory of kubes' firmware; None: kubes, in the state directory

    def group_of(self, device_id: str) -> int:
        """The group that is listened to."""
        if self.group is not None:
            return self.group
        return collect_group(device_id) if self.network == "flukso" else PAIR_GROUP


def _is_command(words: list[str]) -> list[str]:
    if not words or not words[0] or any("\0" in word for word in words):
        raise ValueError('a program and its arguments, as ["/usr/bin/touch", "/tmp/pressed"]')
    return words


_Command = Annotated[list[str], AfterValidator(_is_command)]


class PanelTable(Table):
    """``[panel]``: LEDs and button."""

    heartbeat_port: Annotated[int, AfterValidator(one_of(*PULSE_PORTS))] | None = None  # None: a beat each second
    on_toggle: _Command | None = None  # what a press of the button runs
    on_restore: _Command | None = None
    on_reset: _Command | None = None


class Config(Table):
    """The whole file."""

    device: DeviceTable = DeviceTable()
    board: BoardTable = BoardTable()
    mqtt: MqttTable = MqttTable()
    p1: P1Table | None = None
    sensor: list[SensorTable]
    radio: RadioTable | None = None
    panel: PanelTable = PanelTable()
    rs485: Rs485Table | None = None
    modbus: list[ModbusTable] = Field(default_factory=list)
    influx: InfluxTable | None = None
    upload: UploadTable | None = None
    server: ServerTable | None = None
    web: WebTable | None = None
    tmpo: TmpoTable = TmpoTable()
    foreign: list[ForeignTable] = Field(default_factory=list)
    homeassistant: HomeAssistantTable = HomeAssistantTable()
    mdns: MdnsTable = MdnsTable()

    @classmethod
    def cross_faults(cls, values: dict[str, Any]) -> list[str]:
        """Faults between keys and between sensors."""
        sensors = tables(values.get("sensor"))
        faults = all_faults(sensors)
        if values.get("sensor") == []:
            faults.append("sensor: at least one is needed")
        faults += _rate_faults(values.get("board"), sensors) + mqtt_faults(values.get("mqtt"))
        faults += p1_faults(values.get("p1"), sensors) + web_faults(values.get("web"))
        faults += _model_faults(values, sensors) + foreign_faults(tables(values.get("foreign")), sensors)
        faults += influx_faults(values.get("influx")) + upload_faults(values.get("upload"), values.get("mqtt"))
        faults += server_faults(values.get("server"))
        return faults + _panel_faults(values.get("panel"), sensors) + serial_faults(values)

    def sensors(self, ids: Callable[[int, SensorClass, str], str]) -> list[Sensor]:
        """The configured sensors; ``ids`` answers the kept id of a port, class and direction."""
        return [
            table.sensor("" if table.id else ids(table.port, table.sensor_class, table.direction))
            for table in self.sensor
        ]

    def board_settings(self, device_id: str = "00") -> BoardSettings:
        """What the board is asked to do for the enabled sensors; ``device_id`` tells the radio's group."""
        enabled = [sensor for sensor in self.sensors(lambda *_: "") if sensor.enabled]
        masks = dict.fromkeys(SensorClass, 0)
        for sensor in enabled:
            for port in sensor.ports:
                masks[sensor.sensor_class] |= 1 << (port - 1)
        return BoardSettings(
            rate_hz=self.board.rate_hz,
            clamp_ports=masks[SensorClass.ANALOG] | masks[SensorClass.VOLTAGE],
            pulse_ports=masks[SensorClass.PULSE],
            **self._pulse_limits_us(),
            voltage_port=masks[SensorClass.VOLTAGE].bit_length(),
            pairs=pairs_mask(enabled),
            p1=int(self.p1 is not None and self.p1.on_board),
            **self._radio_settings(device_id),
            heartbeat_port=self.panel.heartbeat_port or 0,
            serial_baud=self.rs485.baud if self.rs485 else 0,
            serial_format=self.rs485.wire_format if self.rs485 else 0,
        )

    def _pulse_limits_us(self) -> dict[str, int]:
        pulses = [one for one in self.sensor if one.enable and one.sensor_class is SensorClass.PULSE]
        widths = {f"width_us_{one.port}": one.width_us for one in pulses}
        return widths | {f"gap_us_{one.port}": one.gap_us for one in pulses}

    def _radio_settings(self, device_id: str) -> dict[str, int]:
        if self.radio is None:
            return {"radio": RADIO_OFF}
        network = RADIO_FLUKSO if self.radio.network == "flukso" else RADIO_JEENODE
        return {"radio": network, "radio_group": self.radio.group_of(device_id)}


def read_config(path: Path) -> Config:
    """Read and check a configuration file. Raises FileFaults with all its faults."""
    return read_toml(path, Config)


def state_dir(config: Config, source: Path) -> Path:
    """Where ids are kept: ``device.state`` (relative to the file's directory), or the user's state directory."""
    if config.device.state:
        return beside(source, "device.state", config.device.state)
    home = os.environ.get("XDG_STATE_HOME")
    return Path(home) / "fluksometer" if home else beside(source, "device.state", "~/.local/state/fluksometer")


def history_dir(config: Config, source: Path) -> Path:
    """Where the history lies: ``tmpo.directory`` (relative to the file's directory), or beside what is kept."""
    given = config.tmpo.directory
    return beside(source, "tmpo.directory", given) if given else state_dir(config, source) / "tmpo"


def images_dir(config: RadioTable, state: Path, source: Path) -> Path:
    """Where kubes' firmware lies: ``radio.images`` (relative to the file's directory), or beside what is kept."""
    return beside(source, "radio.images", config.images) if config.images else state / "kubes"


def read_login(config: Config, source: Path) -> tuple[str, str | None] | None:
    """User name and password for the broker, as read_mqtt_login."""
    return read_mqtt_login(config.mqtt, source)


def read_tls(config: Config, source: Path) -> Tls | None:
    """TLS towards the broker, None where it is not wanted; paths as for the password file."""
    return read_mqtt_tls(config.mqtt, source)


def read_p1_keys(config: Config, source: Path) -> P1Keys | None:
    """What opens the smart meter's telegrams; None where they are not encrypted. Paths as for the password file."""
    p1 = config.p1
    if p1 is None or p1.key_file is None:
        return None
    second = p1.authentication_key_file
    return read_keys(
        beside(source, "p1.key_file", p1.key_file),
        beside(source, "p1.authentication_key_file", second) if second else None,
    )


def read_certificate(table: WebTable | ServerTable, source: Path, name: str = "web") -> ssl.SSLContext | None:
    """What the table of this name shows its clients by TLS; None: no TLS. Paths as for the password file."""
    if table.cert_file is None or table.key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert = beside(source, f"{name}.cert_file", table.cert_file)
    key = beside(source, f"{name}.key_file", table.key_file)
    try:
        context.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        reason = (
            error.strerror if not isinstance(error, ssl.SSLError) and error.strerror else f"no PEM that fits: {error}"
        )
        raise FileFaults(str(source), [f"{name}.cert_file: {cert} with {key} can't be used: {reason}"]) from error
    return context


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


def _model_faults(values: dict[str, Any], sensors: list[dict[str, Any]]) -> list[str]:
    board, p1 = values.get("board"), values.get("p1")
    model = board.get("model", DEFAULT_MODEL) if isinstance(board, dict) else DEFAULT_MODEL
    if not isinstance(model, str) or model not in MODELS:
        return []
    kinds = [(index, one, class_of(one)) for index, one in enumerate(sensors) if one.get("enable") is not False]
    used = [(f"sensor[{index}]", kind, port) for index, one, kind in kinds if kind for port in ports_of(one)]
    on_host = isinstance(p1, dict) and p1.get("port", "board") != "board"
    tables = [name for name in ("p1", "radio", "rs485") if name in values and not (name == "p1" and on_host)]
    return model_faults(model, used, tables)


def _panel_faults(panel: object, sensors: list[dict[str, Any]]) -> list[str]:
    port = panel.get("heartbeat_port") if isinstance(panel, dict) else None
    pulses = [one for one in sensors if one.get("enable") is not False and class_of(one) is SensorClass.PULSE]
    if port not in PULSE_PORTS or port in [one.get("port") for one in pulses]:
        return []
    return [f"panel.heartbeat_port: {port} counts no pulses: it needs a [[sensor]] of class pulse"]
