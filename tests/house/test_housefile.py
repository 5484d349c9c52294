"""House files: what they may hold, and that a person is told every fault at once."""

from pathlib import Path

import pytest

import house
from fluksometer.faults import FileFaults
from house.housefile import read_house, warnings

SHIPPED = sorted((Path(house.__file__).parent / "houses").glob("*.toml"))

CLAMP = "[[clamp]]\nport = 1\ncurrent_a = 1\n"

BAD_FILES = {
    "mains.frequency_hz: 70 is not allowed: less than or equal to 65": "[mains]\nfrequency_hz = 70",
    "mains.frequency_hz: 50.00001 is not allowed: at most 4 decimals": "[mains]\nfrequency_hz = 50.00001",
    "mains.voltage_v: 0 is not allowed: greater than 0": "[mains]\nvoltage_v = 0",
    "mains.colour: unknown key": '[mains]\ncolour = "red"',
    "converter.noise_lsb: -1 is not allowed: greater than or equal to 0": "[converter]\nnoise_lsb = -1",
    "clamp[0].port: 4 is not allowed: clamps hang on ports 1, 2, 3": "[[clamp]]\nport = 4\ncurrent_a = 1",
    "clamp[0].current_a: is missing": "[[clamp]]\nport = 1",
    "clamp[0].current_a: -1 is not allowed: in 0..5000 A": "[[clamp]]\nport = 1\ncurrent_a = -1",
    "clamp[0].current_a: 'x' is not allowed: a number or steps [[time in s, value], ...]": '[[clamp]]\nport = 1\ncurrent_a = "x"',
    "clamp[0].current_a: the step at 2 s: 9000 is not in 0..5000 A": "[[clamp]]\nport = 1\ncurrent_a = [[0, 1], [2, 9000]]",
    "clamp[0].current_a: the times of steps begin at 0 or later and grow": "[[clamp]]\nport = 1\ncurrent_a = [[5, 1], [5, 2]]",
    "clamp[0].power_factor: 2 is not allowed: less than or equal to 1": CLAMP + "power_factor = 2",
    "clamp[0].harmonics: order '1' is not a whole number in 2..50": CLAMP + "harmonics = { 1 = 0.5 }",
    "clamp[0].harmonics: ratio 1.5 of order 3 is not in 0..1": CLAMP + "harmonics = { 3 = 1.5 }",
    "clamp[0].harmonics: the ratios add up to 2.7, more than 2": CLAMP + "harmonics = { 3 = 0.9, 5 = 0.9, 7 = 0.9 }",
    "pulse[0].port: 1 is not allowed: pulses come in on ports 2, 3, 4, 5": "[[pulse]]\nport = 1\nrate_hz = 1",
    "pulse[0]: at 20 Hz width_ms and bounce_ms must stay below 50 together": "[[pulse]]\nport = 4\nrate_hz = 20\nwidth_ms = 60",
    "pulse[0]: bounce_ms 40 leaves nothing of width_ms 30": "[[pulse]]\nport = 4\nrate_hz = 1\nbounce_ms = 40",
    "clamp: port 1 is given 2 times": CLAMP + CLAMP,
    "pulse: port 2 already has a clamp": "[[clamp]]\nport = 2\ncurrent_a = 1\n[[pulse]]\nport = 2\nrate_hz = 1",
    "kube[0].node: 31 is not allowed: less than or equal to 30": "[[kube]]\nnode = 31",
    "kube: node 5 is given 2 times": "[[kube]]\nnode = 5\n[[kube]]\nnode = 5",
    "faults.bit_error_rate: 1 is not allowed: less than or equal to 0.1": "[faults]\nbit_error_rate = 1",
}


def faults_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "house.toml"
    path.write_text(text)
    with pytest.raises(FileFaults) as caught:
        read_house(path)
    return caught.value.faults


@pytest.mark.parametrize(("fault", "text"), BAD_FILES.items(), ids=range(len(BAD_FILES)))
def test_a_fault_names_its_path_and_limit(tmp_path, fault, text):
    assert faults_of(tmp_path, text) == [fault]


def test_an_unknown_curve_is_refused_with_the_known_ones(tmp_path):
    (fault,) = faults_of(tmp_path, '[converter]\ncurve = "mine"')
    assert fault.startswith("converter.curve: 'mine' is not allowed") and "rp2350-c" in fault


def test_every_fault_is_told_at_once_also_those_between_tables(tmp_path):
    text = "[mains]\nfrequency_hz = 70\n" + CLAMP + CLAMP + "[[pulse]]\nport = 9\nrate_hz = -1"
    faults = faults_of(tmp_path, text)
    assert [fault.partition(":")[0] for fault in faults] == [
        "mains.frequency_hz",
        "pulse[0].port",
        "pulse[0].rate_hz",
        "clamp",
    ]


def test_a_fault_between_tables_is_told_once(tmp_path):
    text = CLAMP + "[[pulse]]\nport = 4\nrate_hz = 1\n" * 2 + CLAMP
    assert faults_of(tmp_path, text) == ["clamp: port 1 is given 2 times", "pulse: port 4 is given 2 times"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_houses_are_right_and_need_no_warning(path):
    assert warnings(read_house(path)) == []


def test_three_houses_are_shipped():
    assert [path.stem for path in SHIPPED] == ["demo", "full", "ideal"]


def test_a_current_that_clips_is_allowed_with_a_warning(house_from):
    # 50 A rms is 1 V rms, 1755 LSB of crest; 2048 LSB are reached at 58.3 A.
    assert warnings(house_from("[[clamp]]\nport = 1\ncurrent_a = 58")) == []
    (line,) = warnings(house_from("[[clamp]]\nport = 1\ncurrent_a = [[0, 1], [5, 59]]"))
    assert "port 1" in line and "58.3 A" in line


def test_what_is_not_simulated_yet_is_said(house_from):
    text = (
        '[p1]\ndialect = "dsmr5"\n[[kube]]\nnode = 5\ntype = "b"\n[faults]\nunplugged_s = [[3, 4]]\npower_cuts_s = [9]'
    )
    assert [line.partition(":")[0] for line in warnings(house_from(text))] == ["faults"]
    assert not warnings(house_from("[[kube]]\nnode = 5\n[faults]\nradio_loss = 0.1\nradio_jam_s = [[3, 4]]"))
