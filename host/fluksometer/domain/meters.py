"""From the windows of one moment to what a sensor shows and counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import sqrt
from typing import Protocol

from .phases import third_mean_square, without_neutral_w
from .power import (
    SHOWN_FROM_SE,
    EnergyTotal,
    PairMoments,
    PairScale,
    compensation,
    delay_deg,
    electrical,
    shown_rms,
    signed_rms,
    skew_deg,
    standard_error,
    start_w,
)
from .readings import PAIRS, ClampWindow, PairWindow
from .registers import Seen, grown
from .sensors import Sensor, SensorClass
from .units import (
    CHARGE_PER_LSB_S,
    LSB_V,
    PRODUCT_PER_LSB2,
    UWH_PER_WS,
    mean_square_lsb2,
    uwh_per_charge,
    uwh_per_energy,
)

PairPorts = tuple[int, int]
NOMINAL_HZ = 50.0
"""Of the mains, until a window has told better."""


@dataclass(slots=True)
class Moment:
    """The windows that end at ``t_us``, as far as they have come; ``rate_hz``: samples a second of each clamp."""

    t_us: int
    rate_hz: int
    clamp_ports: tuple[int, ...]  # all that are sampled, ascending
    frequency_hz: float = NOMINAL_HZ  # of the mains: of these windows, or the last one known
    windows: dict[int, ClampWindow] = field(default_factory=dict)
    pairs: dict[PairPorts, PairWindow] = field(default_factory=dict)
    told_v: Mapping[int, Fraction] = field(default_factory=dict)  # voltage by line, as the smart meter tells it


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCalibration:
    """What is known of one clamp or adapter beside its type. ``floor_lsb2``: variance of the converter's noise."""

    gain: Fraction = Fraction(1)  # real / nominal
    phase_deg: float = 0.0  # lead of the output over the input
    floor_lsb2: float = 0.0


Calibrations = Mapping[int, InputCalibration]
"""By port."""


class Meter(Protocol):
    """One way to measure, from the windows of some ports and the products of some pairs."""

    ports: tuple[int, ...]
    pairs: tuple[PairPorts, ...]
    seen: Seen

    @property
    def total(self) -> EnergyTotal | None:
        """Energy so far; None where nothing is counted."""
        ...

    @property
    def refused(self) -> int:
        """Windows not believed."""
        ...

    def take(self, moment: Moment, calibrations: Calibrations) -> float | None:
        """The value to show; None where the moment tells none. All that ``ports`` and ``pairs`` name is there.

        Raises ValueError or OverflowError when the numbers are such as no board measures.
        """
        ...


def _mean_square(window: ClampWindow) -> float:
    return float(mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_steps=window.sum_))


def _shown_a(window: ClampWindow, calibration: InputCalibration, clamp_a: Fraction | int) -> float:
    floor = calibration.floor_lsb2
    return shown_rms(_mean_square(window) - floor, floor, window.samples) * float(LSB_V * clamp_a * calibration.gain)


def _noise_charge(window: ClampWindow, calibration: InputCalibration, rate_hz: int) -> float:
    """The most by which noise alone moves a clamp's charge in one window, with what is shown as zero."""
    least_lsb = sqrt(SHOWN_FROM_SE * standard_error(calibration.floor_lsb2, window.samples))
    return least_lsb * CHARGE_PER_LSB_S * window.samples / rate_hz


class ApparentMeter:
    """Current x voltage of one clamp, or of one clamp a phase: apparent power, direction unknown. The voltage is the configured
    one, or that of its line while the smart meter tells it: growth of the board's charge counts at the voltage now in force.

    What is shown as zero is not counted: a floor 1 % too low would fill a counter with 8 kWh a year. Growth beyond one window's
    came with records that were lost. The board's charge may fall where noise is a little below its floor: that is no fault,
    ``EnergyTotal`` never falls and forgets all but 1 Wh of it.
    """

    pairs: tuple[PairPorts, ...] = ()

    def __init__(self, sensor: Sensor) -> None:
        self.ports = sensor.ports
        self.total: EnergyTotal = EnergyTotal()
        self._sensor = sensor
        self.refused = 0
        self.seen: Seen = {}  # charge by port

    def take(self, moment: Moment, calibrations: Calibrations) -> float | None:
        """Apparent power in W, as Meter."""
        clamp_a = self._sensor.clamp_a
        voltage_v = moment.told_v.get(self._sensor.p1_phase, self._sensor.voltage_v)
        unit_uwh = uwh_per_charge(clamp_a=clamp_a, voltage_v=voltage_v)
        shown_w = 0.0
        for port in self.ports:
            window, calibration = moment.windows[port], calibrations[port]
            new = window.charge - self.seen.get(str(port), 0)
            self.seen[str(port)] = window.charge
            shown_a = _shown_a(window, calibration, clamp_a)
            shown_w += shown_a * float(voltage_v)
            if shown_a > 0 or abs(new) > _noise_charge(window, calibration, moment.rate_hz):
                self.total.add(new * unit_uwh * calibration.gain)
        return shown_w


class RealMeter:
    """Real power of one clamp beside a measured voltage; counts what flows in its direction."""

    def __init__(self, sensor: Sensor, adapter: Sensor) -> None:
        pair = _ordered(sensor.port, adapter.port)
        self.ports: tuple[int, ...] = pair
        self.pairs: tuple[PairPorts, ...] = (pair,)
        self.total: EnergyTotal = EnergyTotal()
        self._sensor, self._adapter = sensor, adapter
        self.refused = 0
        self.seen: Seen = {}

    def take(self, moment: Moment, calibrations: Calibrations) -> float | None:
        """Real power in W: signed where import is counted, never below zero where export is. As Meter."""
        pair = moment.pairs[self.pairs[0]]
        sensor, adapter = self._sensor, self._adapter
        gain = calibrations[sensor.port].gain
        gain *= calibrations[adapter.port].gain
        scale = pair_scale(sensor, adapter, moment.clamp_ports, calibrations)
        moments = _moments(moment, self.pairs[0])
        active_w, least_w = electrical(moments, scale).active_w, start_w(moments, scale, pair.samples)
        total = pair.import_total if sensor.direction == "import" else pair.export_total
        new = grown(self.seen, "total", total)
        if new is None:
            self.refused += 1
            return None
        energy_uwh = new * uwh_per_energy(clamp_a=sensor.clamp_a, adapter_v=adapter.adapter_v) * gain
        window_s = Fraction(pair.samples, moment.rate_hz)
        if abs(active_w) < least_w and energy_uwh <= Fraction(least_w) * window_s * UWH_PER_WS:
            return 0.0  # noise; more than one window's worth came with records that were lost
        self.total.add(energy_uwh)
        return active_w if sensor.direction == "import" else max(0.0, -active_w)


class StarlessMeter:
    """Three lines without a neutral (``3p-n``) from two clamps, or three: total power of loads of power factor 1."""

    def __init__(self, sensor: Sensor) -> None:
        self.ports = sensor.ports
        self.pairs: tuple[PairPorts, ...] = () if len(self.ports) == 3 else (_ordered(*self.ports),)
        self.total: EnergyTotal = EnergyTotal()
        self.refused = 0
        self.seen: Seen = {}  # nothing: it counts on its own
        self._sensor = sensor

    def take(self, moment: Moment, calibrations: Calibrations) -> float | None:
        """Total power in W, as Meter."""
        squares = [self._square_a2(moment.windows[port], calibrations[port]) for port in self.ports]
        if self.pairs:
            squares.append(third_mean_square(squares[0], squares[1], self._product_a2(moment, calibrations)))
        power_w = without_neutral_w(squares, self._sensor.voltage_v)
        duration_s = Fraction(moment.windows[self.ports[0]].samples, moment.rate_hz)
        self.total.add(Fraction(power_w) * duration_s * UWH_PER_WS)
        return max(0.0, power_w)

    def _square_a2(self, window: ClampWindow, calibration: InputCalibration) -> float:
        unit_a = float(LSB_V * self._sensor.clamp_a * calibration.gain)
        return (_mean_square(window) - calibration.floor_lsb2) * unit_a**2

    def _product_a2(self, moment: Moment, calibrations: Calibrations) -> float:
        a, b = self.pairs[0]
        delay = pair_delay_deg(self.pairs[0], moment.clamp_ports, moment.rate_hz, moment.frequency_hz, calibrations)
        c0, c1 = compensation(delay, moment.frequency_hz, moment.rate_hz)
        pair = moment.pairs[self.pairs[0]]
        units_a = [float(LSB_V * self._sensor.clamp_a * calibrations[port].gain) for port in (a, b)]
        return (c0 * pair.product + c1 * pair.lagged) / PRODUCT_PER_LSB2 * units_a[0] * units_a[1]


class VoltageMeter:
    """The mains voltage behind an adapter; counts nothing."""

    pairs: tuple[PairPorts, ...] = ()
    total = None
    refused = 0

    def __init__(self, sensor: Sensor) -> None:
        self.ports = sensor.ports
        self.seen: Seen = {}
        self._sensor = sensor

    def take(self, moment: Moment, calibrations: Calibrations) -> float | None:
        """Voltage in V rms, as Meter."""
        window, calibration = moment.windows[self.ports[0]], calibrations[self.ports[0]]
        square = _mean_square(window) - calibration.floor_lsb2
        return max(0.0, signed_rms(square)) * float(LSB_V * self._sensor.adapter_v * calibration.gain)


def meter_of(sensor: Sensor, adapter: Sensor | None) -> Meter:
    """How an analog or voltage sensor is measured; ``adapter``: the voltage sensor of the board, if there is one."""
    if sensor.sensor_class is SensorClass.VOLTAGE:
        return VoltageMeter(sensor)
    if sensor.phases == "3p-n" and sensor.rule == "closed-form":
        return StarlessMeter(sensor)
    if adapter and sensor.phases == "1p":
        return RealMeter(sensor, adapter)
    return ApparentMeter(sensor)


def pairs_mask(sensors: Iterable[Sensor]) -> int:
    """Which pairs of ports the board has to multiply for these sensors: bit n is readings.PAIRS[n]."""
    sensors = list(sensors)
    adapter = next((one for one in sensors if one.sensor_class is SensorClass.VOLTAGE), None)
    meters = [meter_of(one, adapter) for one in sensors if one.sensor_class is not SensorClass.PULSE]
    return sum(1 << PAIRS.index(pair) for pair in {pair for meter in meters for pair in meter.pairs})


def _ordered(first: int, second: int) -> PairPorts:
    return min(first, second), max(first, second)


def pair_delay_deg(
    ports: PairPorts, sampled: tuple[int, ...], rate_hz: int, frequency_hz: float, calibrations: Calibrations
) -> float:
    """By how much the wave of a pair's first port must be delayed to stand to the second's as in the wires."""
    a, b = ports
    skew = skew_deg(
        sampled.index(a), sampled.index(b), channels=len(sampled), frequency_hz=frequency_hz, rate_hz=rate_hz
    )
    return delay_deg(lead_a_deg=calibrations[a].phase_deg, lead_b_deg=calibrations[b].phase_deg, skew_deg=skew)


def _moments(moment: Moment, ports: PairPorts) -> PairMoments:
    pair = moment.pairs[ports]
    return PairMoments(
        variance_a=_mean_square(moment.windows[ports[0]]),
        variance_b=_mean_square(moment.windows[ports[1]]),
        product=pair.product / PRODUCT_PER_LSB2,
        lagged=pair.lagged / PRODUCT_PER_LSB2,
        frequency_hz=moment.frequency_hz,
        rate_hz=moment.rate_hz,
    )


def pair_scale(clamp: Sensor, other: Sensor, ports: tuple[int, ...], calibrations: Calibrations) -> PairScale:
    """How a clamp and a voltage, or two clamps, stand to each other. ``ports``: all that are sampled, ascending."""
    a, b = (clamp, other) if clamp.port < other.port else (other, clamp)
    known = [calibrations[one.port] for one in (a, b)]
    return PairScale(
        voltage_is_a=a.adapter_v != 0,
        channel_a=ports.index(a.port),
        channel_b=ports.index(b.port),
        channels=len(ports),
        a_per_lsb=float(LSB_V * (a.adapter_v or a.clamp_a) * known[0].gain),
        b_per_lsb=float(LSB_V * (b.adapter_v or b.clamp_a) * known[1].gain),
        lead_a_deg=known[0].phase_deg,
        lead_b_deg=known[1].phase_deg,
        floor_a=known[0].floor_lsb2,
        floor_b=known[1].floor_lsb2,
    )
