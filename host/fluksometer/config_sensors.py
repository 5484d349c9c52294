"""The ``[[sensor]]`` tables of the configuration file (docs/configuration.md)."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from fluksometer.config_pulses import DEFAULT_PRESET, PRESETS
from fluksometer.config_values import matching, one_of, thousandths, within
from fluksometer.domain.clamp_models import ClampModel, clamp_models, known_model
from fluksometer.domain.phases import MANUAL_RULES, clamps_fault
from fluksometer.domain.sensors import Direction, Medium, Phases, Role, Rule, Sensor, SensorClass
from fluksometer.faults import Table, shown
from fluksometer.shared.records import PULSE_PORTS

CLAMP_PORTS: Final = range(1, 4)
FUNCTION_PATTERN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,15}", re.ASCII)
FUNCTION_LIMIT: Final = "1 to 16 letters, digits, _, spaces or hyphens; no space or hyphen at the start"
ID_PATTERN: Final = re.compile(r"[0-9a-f]{32}")
_KEYS: Final = {
    SensorClass.ANALOG: ("clamp_a", "model", "voltage_v", "phases", "rule", "further_ports", "direction", "p1_phase"),
    SensorClass.VOLTAGE: ("adapter_v",),
    SensorClass.PULSE: ("constant", "preset", "min_width_ms", "min_gap_ms"),
}
"""Keys that belong to one class only; ``phase_deg`` belongs to two."""


def _medium(value: object) -> Medium:
    if value not in list(Medium):
        raise ValueError("'electricity', 'gas' or 'water'")
    return Medium(str(value))


def _sensor_class(value: object) -> SensorClass:
    if value not in list(SensorClass):
        raise ValueError("'analog', 'voltage' or 'pulse'")
    return SensorClass(str(value))


class SensorTable(Table):
    """``[[sensor]]``: one port of the board."""

    port: Annotated[int, AfterValidator(within(1, 5))]
    function: Annotated[
        str,
        AfterValidator(matching(FUNCTION_PATTERN, FUNCTION_LIMIT)),
    ]
    medium: Annotated[Medium, BeforeValidator(_medium)] = Field(Medium.ELECTRICITY, alias="type")
    explicit_class: Annotated[SensorClass, BeforeValidator(_sensor_class)] | None = Field(None, alias="class")
    clamp_milli: Annotated[int, BeforeValidator(thousandths("0.1", "10000"))] | None = Field(None, alias="clamp_a")
    model: Annotated[str, AfterValidator(known_model)] | None = None
    voltage_v: Annotated[int, AfterValidator(within(1, 999))] | None = None
    p1_phase: Annotated[int, AfterValidator(within(1, 3))] | None = None
    further_ports: list[Annotated[int, AfterValidator(within(1, 3))]] = Field(default_factory=list)
    phases: Phases = "1p"
    rule: Rule = "closed-form"
    direction: Direction = "import"
    adapter_milli: Annotated[int, BeforeValidator(thousandths("1", "10000"))] | None = Field(None, alias="adapter_v")
    own_phase_deg: Annotated[float, AfterValidator(within(-30, 30))] | None = Field(None, alias="phase_deg")
    constant_milli: Annotated[int, BeforeValidator(thousandths("0.001", "65535.999"))] | None = Field(
        None, alias="constant"
    )
    preset: Annotated[str, AfterValidator(one_of(*PRESETS))] = DEFAULT_PRESET
    min_width_ms: Annotated[float, AfterValidator(within(0.01, 1000))] | None = None
    min_gap_ms: Annotated[float, AfterValidator(within(0, 10_000))] | None = None
    role: Role | None = None
    enable: bool = True
    tmpo: bool = True
    id: Annotated[str, AfterValidator(matching(ID_PATTERN, "32 lower-case hex digits"))] | None = None

    @property
    def sensor_class(self) -> SensorClass:
        """The class given, or the one that the keys and the port tell."""
        given = self.explicit_class.value if self.explicit_class else None
        keys = self.model_dump(by_alias=True, exclude={"explicit_class"}, exclude_unset=True)
        derived = class_of(keys | {"class": given})
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
    def width_us(self) -> int:
        """How long a level of a pulse input must hold, in us: as given, or of the preset."""
        return PRESETS[self.preset].width_us if self.min_width_ms is None else round(self.min_width_ms * 1000)

    @property
    def gap_us(self) -> int:
        """How long after the beginning of a pulse none begins, in us: as given, or of the preset."""
        return PRESETS[self.preset].gap_us if self.min_gap_ms is None else round(self.min_gap_ms * 1000)

    def sensor(self, sensor_id: str) -> Sensor:
        """The sensor that this table describes."""
        preset_deg = self.clamp_model.phase_deg if self.clamp_model else None
        phase_deg = preset_deg if self.own_phase_deg is None else self.own_phase_deg
        voltage_v = MANUAL_RULES[self.rule][1] if self.rule != "closed-form" else self.voltage_v or 230
        return Sensor(
            sensor_id=self.id or sensor_id,
            port=self.port,
            sensor_class=self.sensor_class,
            medium=self.medium,
            function=self.function,
            enabled=self.enable,
            logged=self.tmpo,
            further_ports=tuple(self.further_ports),
            clamp_a=self.clamp_a,
            voltage_v=int(voltage_v),
            p1_phase=self.p1_phase or 0,
            phases=self.phases,
            rule=self.rule,
            direction=self.direction,
            adapter_v=Fraction(self.adapter_milli or 0, 1000),
            phase_deg=phase_deg or 0.0,
            constant_milli=self.constant_milli or 1000,
            role=self.role or "",
        )


# --- faults between keys: these look at the raw file and bear any type in it ---


def tables(value: object) -> list[dict[str, Any]]:
    """The tables of an array, {} for what is none."""
    if not isinstance(value, list):
        return []
    return [one if isinstance(one, dict) else {} for one in value]


def class_of(sensor: dict[str, Any]) -> SensorClass | None:
    """``class`` if given; else that of its keys; else by port. None: can't be told."""
    given = sensor.get("class")
    if given is not None:
        return SensorClass(given) if given in list(SensorClass) else None
    told = [kind for kind, keys in _KEYS.items() if any(sensor.get(key) is not None for key in keys)]
    if told:
        return told[0] if len(told) == 1 else None
    port = sensor.get("port")
    if not isinstance(port, int):
        return None
    return SensorClass.ANALOG if port in CLAMP_PORTS else SensorClass.PULSE


def ports_of(sensor: dict[str, Any]) -> list[int]:
    """All its ports that are numbers."""
    further = sensor.get("further_ports")
    ports = [sensor.get("port"), *(further if isinstance(further, list) else [])]
    return [port for port in ports if isinstance(port, int) and not isinstance(port, bool)]


def all_faults(sensors: list[dict[str, Any]]) -> list[str]:
    """What is wrong in and between the sensors beside single values."""
    faults = [fault for index, sensor in enumerate(sensors) for fault in _own_faults(f"sensor[{index}]", sensor)]
    faults += list(_port_faults(sensors)) + _repeated(sensors, "function") + _repeated(sensors, "id")
    return faults + _voltage_faults(sensors)


def _own_faults(path: str, sensor: dict[str, Any]) -> list[str]:
    kind = class_of(sensor)
    if kind is None:
        if "class" in sensor or "port" not in sensor or sum(key in sensor for key in chain(*_KEYS.values())) < 2:
            return []
        given = [f"{key} ({kind})" for kind, keys in _KEYS.items() for key in keys if key in sensor]
        return [f"{path}: keys of more than one class: {', '.join(given)}"]
    foreign = [key for other, keys in _KEYS.items() if other is not kind for key in keys if key in sensor]
    if kind is SensorClass.PULSE and "phase_deg" in sensor:
        foreign.append("phase_deg")
    faults = [f"{path}.{key}: not for a sensor of class {kind}" for key in foreign]
    if "clamp_a" in sensor and "model" in sensor:
        faults.append(f"{path}: clamp_a or model, not both: the model already says how many A give 1 V")
    if kind is SensorClass.VOLTAGE and "adapter_v" not in sensor:
        faults.append(f"{path}.adapter_v: is missing: so many V of the mains give 1 V at the pin")
    ports = PULSE_PORTS if kind is SensorClass.PULSE else CLAMP_PORTS
    port = sensor.get("port")
    if isinstance(port, int) and 1 <= port <= 5 and port not in ports:
        faults.append(f"{path}.port: {port} is not allowed: {ports[0]} to {ports[-1]} for a sensor of class {kind}")
    medium = sensor.get("type")
    if kind is not SensorClass.PULSE and medium in (Medium.GAS, Medium.WATER):
        faults.append(f"{path}.type: {medium!r} is not allowed: 'electricity' for a sensor of class {kind}")
    if "role" in sensor and (kind is SensorClass.VOLTAGE or medium in (Medium.GAS, Medium.WATER)):
        faults.append(f"{path}.role: only for a clamp, or for pulses of electricity")
    return faults + (_phase_faults(path, sensor) if kind is SensorClass.ANALOG else [])


def _phase_faults(path: str, sensor: dict[str, Any]) -> list[str]:
    mode, rule, ports = sensor.get("phases", "1p"), sensor.get("rule", "closed-form"), ports_of(sensor)
    if mode not in get_args(Phases) or rule not in get_args(Rule):
        return []
    if rule != "closed-form":
        if mode != "3p-n":
            return [f"{path}.rule: only with phases = '3p-n'"]
        if "voltage_v" in sensor:
            return [f"{path}.voltage_v: not with a rule that brings its own"]
        clamps = MANUAL_RULES[rule][0]
        return [f"{path}.rule: {rule} needs {clamps} clamps, not {len(ports)}"] * (len(ports) != clamps)
    if mode == "1p":
        return [f"{path}.further_ports: only with phases = '3p+n' or '3p-n'"] * (len(ports) > 1)
    fault = clamps_fault(mode, len(ports))
    return [f"{path}.phases: {fault}; further_ports names the others"] if fault else []


def _port_faults(sensors: list[dict[str, Any]]) -> Iterator[str]:
    # A port is used once; beside a voltage one sensor may count what a clamp imports and another what it exports.
    used: dict[int, dict[str, int]] = {}
    for index, sensor in enumerate(sensors):
        use = str(sensor.get("direction", "import")) if class_of(sensor) is SensorClass.ANALOG else ""
        for place, port in enumerate(ports_of(sensor)):
            uses = used.setdefault(port, {})
            if uses and (use == "" or use in uses or "" in uses):
                name, first = "further_ports" if place else "port", uses.get(use, next(iter(uses.values())))
                yield f"sensor[{index}].{name}: {port} is already that of sensor[{first}]"
                continue
            for other in uses.values():
                if _clamp_keys(sensor) != _clamp_keys(sensors[other]):
                    yield f"sensor[{index}]: the clamp on port {port} is that of sensor[{other}]: same {_CLAMP_TEXT}"
            uses[use] = index


_CLAMP_TEXT = "clamp_a or model, and phase_deg, are needed"


def _clamp_keys(sensor: dict[str, Any]) -> tuple[object, ...]:
    return sensor.get("clamp_a", 50 if "model" not in sensor else None), sensor.get("model"), sensor.get("phase_deg")


def _voltage_faults(sensors: list[dict[str, Any]]) -> list[str]:
    active = [(index, one) for index, one in enumerate(sensors) if one.get("enable") is not False]
    voltages = [index for index, one in active if class_of(one) is SensorClass.VOLTAGE]
    faults = [f"sensor[{index}].class: sensor[{voltages[0]}] already measures the voltage" for index in voltages[1:]]
    for index, one in active:
        if one.get("direction") == "export" and not (voltages and one.get("phases", "1p") == "1p"):
            faults.append(
                f"sensor[{index}].direction: only a clamp beside a sensor of class voltage knows what is exported"
            )
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
