"""Devices behind the meter are known by type and id."""

from datetime import UTC, datetime

from host.p1_vectors import TELEGRAMS, sealed
from host.test_p1 import one

from fluksometer.domain.p1_devices import newest, readable


def test_the_newest_of_two_gas_meters_counts_whatever_its_channel():
    devices = one(TELEGRAMS["dsmr5-gas-on-channel-2"]).devices
    gas = newest(devices, "gas")
    assert (gas.channel, gas.id, gas.milli) == (2, "G0000NEW000000002", 21_163)
    assert newest(devices, "gas", "G0000OLD000000001").milli == 15_835_795
    assert newest(devices, "gas", "another") is None
    assert newest(devices, "water") is None


def test_two_readings_on_one_channel():
    (gas,) = one(TELEGRAMS["dsmr5-swapped-meter"]).devices
    assert (gas.milli, gas.time) == (1_421_163, datetime(2026, 8, 1, 10, 30, tzinfo=UTC))


def test_a_device_without_a_reading_is_there_without_a_value():
    devices = one(TELEGRAMS["dsmr5-three-phase"]).devices
    assert [device.milli for device in devices] == [107, None]
    assert newest(devices, "gas").milli == 107
    (unset,) = one(TELEGRAMS["emucs-unset-gas"]).devices
    assert (unset.milli, unset.unit, unset.time) == (None, None, None), "not zero"


def test_belgian_gas_is_not_corrected():
    gas, water = one(TELEGRAMS["emucs"]).devices
    assert (gas.kind, gas.milli, gas.temperature_corrected) == ("gas", 734_607, False)
    assert (water.kind, water.milli, water.temperature_corrected) == ("water", 389_732, None)
    assert one(TELEGRAMS["dsmr4"]).devices[0].temperature_corrected is True


def test_four_devices_and_types_nobody_knows():
    kinds = [(device.kind, device.unit) for device in one(TELEGRAMS["dsmr5-four-devices"]).devices]
    assert kinds == [("gas", "m3"), ("heat", "GJ"), ("water", "m3"), ("electricity", "kWh")]
    (strange,) = one(sealed("0-1:24.1.0(099)")).devices
    (silent,) = one(sealed("0-1:24.2.1(260801123000S)(1*m3)")).devices
    assert (strange.kind, silent.kind) == ("type 99", "unknown")


def test_a_relay_of_a_channel_is_no_device():
    telegram = one(TELEGRAMS["luxembourg"])
    assert [device.channel for device in telegram.devices] == [1]
    assert telegram.registers["0-2:96.3.10"].milli == 0


def test_a_reading_with_an_unset_clock_keeps_its_value():
    (gas,) = one(sealed("0-1:24.1.0(003)", "0-1:24.2.1(632525252525W)(00012.000*m3)")).devices
    assert (gas.milli, gas.time) == (12_000, None)


def test_ids_are_readable_where_they_can_be():
    assert readable("4730") == "G0"
    for text in ("", "473", "00", "zz", "FF41"):
        assert readable(text) == text
