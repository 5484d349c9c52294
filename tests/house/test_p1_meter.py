"""The house's smart meter: telegrams that say what the house does, in every dialect."""

from fractions import Fraction
from math import floor

import pytest

from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.faults import FileFaults, parse_toml
from fluksometer.shared.p1 import Frame, Parser, Telegram
from house.housefile import House
from house.p1_dialects import DIALECTS
from house.p1_line import FAST_8N1, SLOW_7E1, bits_of
from house.p1_meter import Meter
from house.waves import true_power_w

LOADS = """
[[clamp]]
port = 1
current_a = 4.35
power_factor = 0.98
[[clamp]]
port = 2
current_a = 2.0
power_factor = -0.9
[[clamp]]
port = 3
current_a = [[0, 1.0], [20, 10.0]]
"""


def made(p1: str, loads: str = LOADS) -> House:
    return parse_toml(f"{loads}\n[p1]\n{p1}", House, source="house")


def read(meter: Meter, data: bytes) -> list[Telegram | Frame]:
    parser = Parser(512, 4096)
    done = parser.push(data) + parser.pause()
    if done and isinstance(done[0], Frame):
        opened = decrypter(bytes.fromhex(meter.p1.key))(done[0].data)
        assert opened is not None
        return parser.push(opened)
    return done


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("faults", ["", "unpadded_crc = true", "invalid_clock = true", "long_text = 100"])
def test_a_reader_finds_what_the_house_says(dialect: str, faults: str) -> None:
    more = '[[p1.device]]\n[[p1.device]]\ntype = "heat"\nchannel = 2\n[[p1.device]]\nchannel = 3\ndead = true\n'
    meter = Meter(made(f'dialect = "{dialect}"\ntariff = [[0, 1], [30, 2]]\n{more}[p1.faults]\n{faults}'))
    for t_s in (1.0, 25.0, 100.0, 10_000.0):
        sent = meter.telegram(t_s)
        (telegram,) = read(meter, sent.data)
        assert isinstance(telegram, Telegram)
        assert telegram.registers == sent.registers() and telegram.left_out == 0


def test_power_and_energy_are_those_of_the_clamps() -> None:
    house = made('dialect = "dsmr5"\ntariff = [[0, 1], [30, 2]]\nstart_kwh = [1.0, 2.0]')
    shown = {code: value for code, value, *_ in Meter(house).telegram(3630.0).registers()}
    watts = [true_power_w(house, port, 3630.0, 3631.0) for port in (1, 2, 3)]
    assert shown["1-0:1.7.0"] == floor(sum(watts)) and shown["1-0:2.7.0"] == 0
    assert [shown["1-0:41.7.0"], shown["1-0:42.7.0"]] == [0, floor(-watts[1])]
    before = sum(true_power_w(house, port, 0.0, 20.0) for port in (1, 2, 3))
    after = sum(true_power_w(house, port, 20.0, 3630.0) for port in (1, 2, 3))
    assert shown["1-0:1.8.1"] == floor(1000 + (20 * before + 10 * after) / 3600)
    assert shown["1-0:1.8.2"] == floor(2000 + 3600 * after / 3600)
    assert shown["0-0:96.14.0"] == "0002" and shown["1-0:32.7.0"] == 230_000


def test_the_hour_that_comes_twice() -> None:
    meter = Meter(made('dialect = "dsmr5"\nclock = "2026-10-25T00:30:00Z"'))
    stamps = [meter.telegram(t_s).registers()[1][1] for t_s in (0.0, 3600.0)]
    assert stamps == ["261025023000S", "261025023000W"]
    swedish = Meter(made('dialect = "sweden"\nclock = "2026-07-01T12:00:00Z"'))
    assert swedish.telegram(0.0).registers()[0][1] == "260701130000W"


def test_a_device_is_read_now_and_then() -> None:
    device = '[[p1.device]]\ntype = "water"\nstart = 7.0\nrate_per_h = 3.6\nevery_s = 300'
    meter = Meter(made(f'dialect = "emucs"\nclock = "2026-01-10T07:00:00Z"\n{device}'))
    readings = [register for t_s in (299.0, 599.0) for register in meter.telegram(t_s).registers()[-1:]]
    assert readings == [
        ("0-1:24.2.1", 7000, "m3", "260110080000W", None),
        ("0-1:24.2.1", 7300, "m3", "260110080500W", None),
    ]


def test_faults_come_as_they_are_asked_for() -> None:
    meter = Meter(made("[p1.faults]\ncut_each = 3\ncorrupt_rate = 0.0005\nnoise_bytes = 9\nseed = 4"))
    sent = [meter.next(float(t_s)) for t_s in range(60)]
    assert [one.damage for one in sent].count("cut") == 20 and {one.damage for one in sent} == {"", "cut", "corrupt"}
    parser = Parser(512, 4096)
    done = [telegram for one in sent for telegram in parser.push(one.data)] + parser.pause()
    assert len(done) == [one.damage for one in sent].count("")
    assert len(meter.noise()) == 9


def test_bits() -> None:
    assert bits_of(b"A", FAST_8N1) == bytes([0, 1, 0, 0, 0, 0, 0, 1, 0, 1])
    assert bits_of(b"C", SLOW_7E1) == bytes([0, 1, 1, 0, 0, 0, 0, 1, 1, 1])


def test_a_table_that_makes_no_sense_is_refused() -> None:
    assert made('dialect = "belgium"').p1.dialect == "emucs"  # type: ignore[union-attr]
    for table in ('dialect = "norway"', 'key = "00"', 'clock = "2026-01-10T07:00:00"', "[[p1.device]]\nchannel = 5"):
        with pytest.raises(FileFaults):
            made(table)


def test_counters_never_run_ahead() -> None:
    house = made("start_kwh = [0.0]", "[[clamp]]\nport = 1\ncurrent_a = 10.0\n")
    values = [Meter(house).telegram(t_s).registers()[3][1] for t_s in (1.0, 1.5, 1.6)]
    assert values == [floor(Fraction(2300) * Fraction(str(t_s)) / 3600) for t_s in (1.0, 1.5, 1.6)]
