"""Waveforms and harmonics on request: from the message of a stranger and the board's parts to the answer."""

import json
from math import pi, sqrt

import numpy as np
import pytest
from host.making import make_hello, make_sensor
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluksometer.capture_desk import ANSWER_S, CaptureDesk
from fluksometer.domain.board_calibration import IDENTITY
from fluksometer.domain.captures import RING_SAMPLES, Capture, Request, answer, request_of
from fluksometer.domain.meters import InputCalibration
from fluksometer.domain.readings import RawCodes
from fluksometer.domain.sensors import SensorClass
from fluksometer.shared.records import CAPTURE_CODES, RAW_CODES

DEVICE = "d" * 32
ASK = f"/device/{DEVICE}/request"
RATE_HZ = 20_000
CLAMP = make_sensor(port=1, sensor_id="1" * 32, clamp_a=50)
LATE = make_sensor(port=2, sensor_id="2" * 32, clamp_a=100)
VOLTS = make_sensor(port=3, sensor_id="3" * 32, sensor_class=SensorClass.VOLTAGE, adapter_v=400)
SENSORS = [CLAMP, LATE, VOLTS]
KNOWN = {port: InputCalibration() for port in (1, 2, 3)}
HELLO = make_hello(clamp_ports=7, voltage_port=3)


def codes(port, sets, *, lsb=500.0, frequency_hz=50.02, fifth=0.1, rate_hz=RATE_HZ):
    """Codes of a port as three channels in turn give them; the clamp of port 2 carries its current 60 degrees late."""
    angle = 2 * pi * frequency_hz * (np.arange(sets) + (port - 1) / 3) / rate_hz - (pi / 3 if port == 2 else 0)
    wave = sqrt(2) * lsb * (np.sin(angle) + fifth * np.sin(5 * angle))
    return np.rint(2048 + wave).astype("<u2")


def parts(port, samples, *, t_us=5_000_000, rate_hz=RATE_HZ, total=None):
    data = samples.tobytes()
    for first in range(0, len(samples), RAW_CODES):
        piece = data[2 * first : 2 * (first + RAW_CODES)]
        yield RawCodes(port=port, t_us=t_us, rate_hz=rate_hz, first=first, total=total or len(samples), codes=piece)


def capture_of(ask, **given):
    """Every part of what the board was asked for."""
    mask, sets = ask
    return [part for port in (1, 2, 3) if mask >> (port - 1) & 1 for part in parts(port, codes(port, sets), **given)]


def asked(desk, what, payload=b"", *, hello=HELLO, now_s=0.0):
    desk.want(f"{ASK}/{what}", payload)
    return desk.step(hello, now_s)


def hand_in(desk, records):
    """What is published meanwhile."""
    return [message for message in (desk.take(raw, KNOWN, IDENTITY) for raw in records) if message]


# What is asked


def test_harmonics_of_a_clamp():
    desk = CaptureDesk(DEVICE, SENSORS)
    assert desk.topics == f"{ASK}/+"
    messages, ask = asked(desk, "harmonics", b"1")
    assert (messages, ask) == ([], (0b001, 3600))  # nine cycles of 50 Hz
    (message,) = hand_in(desk, capture_of(ask))
    assert (message.topic, message.retain) == (f"/device/{DEVICE}/harmonics/1", False)
    found = json.loads(message.payload)
    amps = 500 * 3.3 / 4096 * 50
    assert found["frequency_hz"] == pytest.approx(50.02, abs=0.002)
    assert found["unit"] == "A" and found["cycles"] in (8, 9)
    assert found["rms"] == pytest.approx(amps * sqrt(1.01), rel=1e-3)
    assert found["thd_percent"] == pytest.approx(10, abs=0.05)
    assert found["orders"][0] == pytest.approx(amps, rel=1e-3)
    assert found["orders"][4] == pytest.approx(amps / 10, rel=5e-3)
    assert len(found["orders"]) == 15 and found["crest_factor"] > 1.3


def test_harmonics_of_the_voltage_are_volts():
    desk = CaptureDesk(DEVICE, SENSORS)
    _messages, ask = asked(desk, "harmonics", b"3")
    (message,) = hand_in(desk, capture_of(ask))
    found = json.loads(message.payload)
    assert found["unit"] == "V" and found["orders"][0] == pytest.approx(500 * 3.3 / 4096 * 400, rel=1e-3)


def test_one_cycle_of_each_input():
    desk = CaptureDesk(DEVICE, SENSORS)
    messages, ask = asked(desk, "waveform")
    assert messages == [] and ask[0] == 0b111
    (message,) = hand_in(desk, capture_of(ask))
    found = json.loads(message.payload)
    assert message.topic == f"/device/{DEVICE}/waveform" and not message.retain
    assert found["reference"] == 3 and [one["unit"] for one in found["inputs"]] == ["A", "A", "V"]
    assert all(len(one["values"]) == 400 for one in found["inputs"])
    late = np.array(found["inputs"][1]["values"])
    fundamental = np.fft.rfft(late)[1]
    assert np.degrees(np.angle(1j * fundamental)) == pytest.approx(-60, abs=0.7)  # the skew is in first_s: half a step


def test_gain_and_table_are_used():
    desk = CaptureDesk(DEVICE, [CLAMP])
    hello = make_hello(clamp_ports=1)
    _messages, ask = asked(desk, "harmonics", b"1", hello=hello)
    known = {1: InputCalibration(gain=2)}
    halved = tuple(step // 2 for step in IDENTITY)
    (message,) = [m for m in (desk.take(raw, known, halved) for raw in capture_of(ask)) if m]
    assert json.loads(message.payload)["orders"][0] == pytest.approx(500 * 3.3 / 4096 * 50, rel=1e-3)


@pytest.mark.parametrize("rate_hz", [1, 245, 4_000, 20_000, 40_000, 100_000])
@pytest.mark.parametrize("ports", [0b001, 0b101, 0b111])
@pytest.mark.parametrize("request_", [Request(0), Request(1)])
@pytest.mark.parametrize("ring", [RING_SAMPLES, 22_500, 60_000])
def test_a_board_can_hold_what_it_is_asked_for(rate_hz, ports, request_, ring):
    """board/meter/capture.py: most codes, and three quarters of its ring."""
    channels, sets = ports.bit_count(), request_.sets(make_hello(rate_hz=rate_hz, clamp_ports=ports), ring)
    assert sets >= 1 and sets * request_.ports(ports).bit_count() <= CAPTURE_CODES
    used = ring // channels * channels
    assert sets * channels <= used - used // 4


def test_a_longer_ring_gives_longer_captures():
    desk = CaptureDesk(DEVICE, SENSORS)
    hello = make_hello(clamp_ports=7, rate_hz=40_000)
    assert asked(desk, "harmonics", b"1", hello=hello)[1] == (0b001, 3750)
    desk = CaptureDesk(DEVICE, SENSORS)
    desk.ring_samples = 30_000
    assert asked(desk, "harmonics", b"1", hello=hello)[1] == (0b001, 7200)


# Strangers


@pytest.mark.parametrize("payload", [b"", b"0", b"4", b"-1", b"1.0", b"one", b"\xff\x00", b"1" * 10_000, b"[1]"])
def test_what_is_no_request_is_ignored(payload):
    desk = CaptureDesk(DEVICE, SENSORS)
    assert asked(desk, "harmonics", payload) == ([], None)
    assert asked(desk, "anything", b"1") == ([], None)
    desk.want("/device/other/request/waveform", b"")
    assert desk.step(HELLO, 0.0) == ([], None) and desk.next_deadline_s() is None


@given(st.text(max_size=40), st.binary(max_size=40))
@example(f"{ASK}/harmonics", b" 3\n")
def test_no_message_raises(topic, payload):
    request = request_of(topic, payload, DEVICE)
    assert request is None or request.port in (0, 1, 2, 3)


def test_every_request_that_can_not_be_served_is_told_why():
    desk = CaptureDesk(DEVICE, [CLAMP, make_sensor(port=2, enabled=False)])
    hello = make_hello(clamp_ports=1)
    (refused,), ask = asked(desk, "harmonics", b"2", hello=hello)
    assert ask is None and refused.topic == f"/device/{DEVICE}/harmonics/2" and not refused.retain
    assert json.loads(refused.payload) == {"error": "no clamp and no voltage is measured on port 2"}
    (refused,), ask = asked(desk, "waveform", hello=None)
    assert ask is None and json.loads(refused.payload) == {"error": "no board is there"}
    (refused,), ask = asked(desk, "harmonics", b"1", hello=make_hello(clamp_ports=0b11))
    assert ask is None and "being set" in refused.payload
    (refused,), _ask = asked(CaptureDesk(DEVICE, []), "waveform")
    assert "no clamp" in refused.payload


def test_requests_wait_for_the_one_that_runs_each_once():
    desk = CaptureDesk(DEVICE, SENSORS)
    _messages, first = asked(desk, "harmonics", b"1")
    for _ in range(100):
        assert asked(desk, "harmonics", b"2") == ([], None)
        assert asked(desk, "waveform") == ([], None)
    answers = []
    ask = first
    while ask:
        answers += [message.topic.removeprefix(f"/device/{DEVICE}/") for message in hand_in(desk, capture_of(ask))]
        _messages, ask = desk.step(HELLO, 1.0)
    assert answers == ["harmonics/1", "harmonics/2", "waveform"]
    assert desk.next_deadline_s() is None


def test_a_lost_part_is_told_in_time_and_the_next_request_goes_on():
    desk = CaptureDesk(DEVICE, SENSORS)
    _messages, ask = asked(desk, "harmonics", b"1", now_s=10.0)
    asked(desk, "waveform", now_s=10.0)
    whole = capture_of(ask)
    assert hand_in(desk, whole[:3] + whole[4:]) == []
    assert desk.next_deadline_s() == 10.0 + ANSWER_S
    assert desk.step(HELLO, 14.9) == ([], None)
    (lost,), ask = desk.step(HELLO, 15.0)
    assert json.loads(lost.payload) == {"error": "the board did not send it all: try again"}
    # What is left of the first capture comes late, then the second one.
    stale, fresh = whole[-1:], capture_of(ask, t_us=9_000_000)
    assert [message.topic for message in hand_in(desk, stale + fresh)] == [f"/device/{DEVICE}/waveform"]


def test_parts_that_nobody_asked_for_are_nothing():
    desk = CaptureDesk(DEVICE, SENSORS)
    assert hand_in(desk, capture_of((0b111, 900))) == []
    _messages, ask = asked(desk, "harmonics", b"1")
    wrong_port = list(parts(2, codes(2, ask[1])))
    wrong_total = list(parts(1, codes(1, 400), total=400))
    assert hand_in(desk, wrong_port + wrong_total) == []
    assert [message.topic for message in hand_in(desk, capture_of(ask))] == [f"/device/{DEVICE}/harmonics/1"]


# Parts and what is in them


def test_a_part_that_does_not_fit_leaves_a_capture_incomplete():
    samples = codes(1, 2 * RAW_CODES)
    first, second = parts(1, samples)
    odd = RawCodes(port=1, t_us=0, rate_hz=RATE_HZ, first=RAW_CODES, total=2 * RAW_CODES, codes=second.codes[:-1])
    for records, complete in (
        ([first, second], True),
        ([second, first], False),
        ([first], False),
        ([first, odd], False),
        ([first, first, second], True),
        ([first, odd, second], True),
    ):
        capture = Capture(0, RATE_HZ)
        for raw in records:
            capture.add(raw)
        assert capture.complete(0b001) is complete
        assert not capture.complete(0b011)
    assert capture.column(1).tolist() == samples.tolist()


def one_port(samples, rate_hz=RATE_HZ):
    capture = Capture(0, rate_hz)
    for raw in parts(1, np.asarray(samples, dtype="<u2")):
        capture.add(raw)
    return capture


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        ([5000] * 4000, "code 5000 exceeds 4095"),
        ([2000] * 4000, "silence"),
        ([2048] * 3, "less than"),
        (np.random.default_rng(1).integers(0, 4096, 4000), ""),
    ],
)
@pytest.mark.parametrize("port", [0, 1])
def test_what_can_not_be_analysed_is_told_with_the_reason(samples, why, port):
    message = answer(Request(port), one_port(samples), {1: CLAMP}, KNOWN, IDENTITY, DEVICE)
    assert why in json.loads(message.payload)["error"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 500_000),
    st.lists(st.integers(0, 65_535), min_size=1, max_size=30),
    st.integers(1, 300),
    st.sampled_from([0, 1]),
)
def test_no_codes_and_no_rate_raise(rate_hz, pattern, times, port):
    message = answer(Request(port), one_port(pattern * times, rate_hz), {1: CLAMP}, KNOWN, IDENTITY, DEVICE)
    json.loads(message.payload, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
