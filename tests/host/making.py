"""Values for tests with only what matters given."""

from fluksometer.domain.points import Point
from fluksometer.domain.readings import ClampWindow, Hello, PairWindow, PulseCount
from fluksometer.domain.sensors import Medium, Sensor, SensorClass


def make_hello(**given):
    fields = {
        "wire_version": 4,
        "firmware_major": 0,
        "firmware_minor": 1,
        "firmware_patch": 0,
        "micropython_major": 1,
        "micropython_minor": 26,
        "micropython_patch": 1,
        "chip": 1,
        "reset_cause": 1,
        "clamp_ports": 0b111,
        "pulse_ports": 0b11000,
        "boot_id": 7,
        "uid": 1,
        "rate_hz": 20_000,
        "voltage_port": 0,
        "pairs": 0,
        "table_crc": 0,
        "calibration_crc": 0,
        "t_us": 0,
        "model": "Pico",
    }
    return Hello(**fields | given)


def make_window(
    *,
    charge=0,
    rms_lsb=0,
    t_us=1_000_000,
    samples=20_000,
    port=1,
    flags=0,
    frequency_mhz=50_000,
    sum_sq=None,
    rate_hz=20_000,
):
    steps = 8 * rms_lsb
    return ClampWindow(
        port=port,
        ports=0b111,
        rate_hz=rate_hz,
        flags=flags,
        t_us=t_us,
        gap_samples=0,
        charge=charge,
        sum_sq=steps**2 * samples if sum_sq is None else sum_sq,
        sum_=0,
        samples=samples,
        frequency_mhz=frequency_mhz,
        low=-steps,
        high=steps,
        cycles=50,
    )


def make_pair(*, a_port=1, b_port=2, t_us=1_000_000, product=0, lagged=0, import_total=0, export_total=0):
    return PairWindow(
        a_port=a_port,
        b_port=b_port,
        t_us=t_us,
        import_total=import_total,
        export_total=export_total,
        product=product,
        lagged=lagged,
        samples=20_000,
        flags=0,
    )


def make_pulses(*, count, edge_us=0, interval_us=0, t_us=None, port=4):
    t_us = edge_us if t_us is None else t_us
    return PulseCount(port=port, t_us=t_us, count=count, edge_us=edge_us, interval_us=interval_us, rejected=0)


def make_sensor(**given):
    fields = {
        "sensor_id": "0123456789abcdef0123456789abcdef",
        "port": 1,
        "sensor_class": SensorClass.ANALOG,
        "medium": Medium.ELECTRICITY,
        "function": "clamp 1",
        "enabled": True,
        "clamp_a": 50,
        "voltage_v": 230,
        "constant_milli": 1000,
    }
    return Sensor(**fields | given)


def make_pulse_sensor(**given):
    fields = {"port": 4, "sensor_class": SensorClass.PULSE, "function": "pulse 4"}
    return make_sensor(**fields | given)


def make_point(**given):
    fields = {
        "sensor_id": "0123456789abcdef0123456789abcdef",
        "series": 0,
        "kind": "gauge",
        "time_s": 1,
        "milli": 1000,
        "unit": "W",
        "retain": True,
    }
    return Point(**fields | given)
