# Runs on CPython and on MicroPython.
import json

from shared import kube
from shared.kube import FLK01A, FLK01B, KUBES, SENSORS, KubeError, decode, encode
from shared.rf12 import RadioError, frame


def _vectors(name):
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/rf12.json") as file:
        return json.load(file)[name]


def _frame(name):
    return [bytes.fromhex(vector["frame"]) for vector in _vectors("frames") if vector["name"] == name][0]


def _refusal(call, *values):
    try:
        call(*values)
    except RadioError as error:
        return str(error)
    return None


_HW_ID = bytes(range(16))
_KEY = bytes.fromhex("0123456789abcdef") * 2
_WEATHER = {"temperature": 21790, "humidity": 52000, "pressure": 101325000, "light": 308500}


def test_golden_payloads():
    for vector in _vectors("kubes"):
        payload = bytes.fromhex(vector["payload"])
        assert decode(vector["type"], payload) == vector["values"], vector["name"]
        again = encode(vector["type"], vector["values"])
        assert decode(vector["type"], again) == vector["values"], vector["name"]


def test_scales_follow_the_data_sheets():
    for raw in range(0, 16383, 37):
        payload = (raw | 1 << 14).to_bytes(3, "little")
        told = decode(FLK01B, (raw >> 2 << 20).to_bytes(4, "little") + b"\x00\x00" + payload)
        assert abs(told["temperature"] / 1000 - (-46.85 + 175.72 * raw / 16384)) <= 0.00501
        assert abs(told["humidity"] / 1000 - (-6 + 125 * (raw >> 2) / 4096)) <= 0.0501


def test_battery_curves():
    for step in range(1, 32):
        told = decode(FLK01A, bytes((0, 0, 0, 0, step, 0)))["battery"]
        assert abs(told / 1000 - 27.43 * step**-1.04) <= 0.0501
    for step in range(5, 21):
        error = 0x20 if step > 12 else 0
        told = decode(FLK01B, bytes(6) + ((step & 7) << 14 | error << 17).to_bytes(3, "little"))["battery"]
        assert abs(told / 1000 - 26.93 * (step + 0.5) ** -0.985) <= 0.0501


def test_a_fresh_battery_does_not_wrap_into_an_empty_one():
    for battery, low in ((3700, 0), (3300, 0), (2200, 0), (2100, 32000), (1800, 32000), (1700, 32000)):
        values = dict(_WEATHER, battery=battery, error=0)
        told = decode(FLK01B, encode(FLK01B, values))
        assert told["battery"] == battery and told["error"] == low


def test_unknown_kubes_and_lengths_are_named():
    assert _refusal(decode, 0x200, b"") == "unknown kube type 0x0200"
    for hw_type, lengths in ((FLK01A, (4, 6)), (FLK01B, (2, 4, 9))):
        for length in range(67):
            refusal = _refusal(decode, hw_type, bytes(length))
            assert (refusal is None) == (length in lengths)
            assert refusal is None or "%d bytes" % length in refusal


def test_values_come_back():
    for hw_type in KUBES:
        for at in range(0, 256, 5):
            for length in (2, 4, 6, 9):
                payload = bytes([(at * 7 + n * 91) & 255 for n in range(length)])
                if _refusal(decode, hw_type, payload) is None:
                    values = decode(hw_type, payload)
                    assert decode(hw_type, encode(hw_type, values)) == values, payload
                    assert all(name in KUBES[hw_type] and name in SENSORS for name in values)


def test_what_no_kube_can_measure_is_refused():
    for name, value in (("temperature", 200000), ("humidity", -7000), ("pressure", 300000000), ("error", 200000)):
        values = dict(_WEATHER, battery=3000, error=0)
        values[name] = value
        assert _refusal(encode, FLK01B, values).startswith(name)
    assert _refusal(encode, FLK01B, {"vibration": 65536000})


def test_pairing():
    request = kube.encode_pair_request(FLK01B, 0, 0, kube.image_crc(bytes(16)), _HW_ID)
    assert frame(kube.PAIR_GROUP, kube.PAIR_REQUEST, request) == _frame("pair request of a new FLK01B")
    assert kube.decode_pair_request(request) == (FLK01B, 0, 0, 0xF0BE, _HW_ID)
    reply = kube.encode_pair_reply(FLK01B, 93, 5, _KEY)
    assert frame(kube.PAIR_GROUP, 0xA0, reply) == _frame("pair reply: group 93, node 5")
    assert kube.decode_pair_reply(reply) == (FLK01B, 93, 5, _KEY)


def test_upgrade():
    question = kube.encode_upgrade(FLK01B, 1, 247 * 16, 0x1234)
    assert frame(93, kube.REQUEST | 5, question) == _frame("upgrade request of node 5")
    assert kube.decode_upgrade(question) == (FLK01B, 1, 3952, 0x1234)
    request = kube.encode_download_request(1, 3)
    assert frame(93, kube.REQUEST | 5, request) == _frame("download request, version 1, block 3")
    assert kube.decode_download_request(request) == (1, 3)
    block = bytes(range(64))
    reply = kube.encode_block(1, 3, block)
    assert len(reply) == 66 and reply[:2] == b"\x02\x00"
    assert reply[2:18].hex() == _vectors("whitened")
    assert kube.decode_block(reply) == (2, block)


def test_images():
    assert kube.image_crc(b"\xff" * 128) == 0x8FFE
    image = kube.padded(bytes(range(200)))
    assert len(image) == 256 and image[200:] == b"\xff" * 56
    assert b"".join([kube.image_block(image, at) for at in range(4)]) == image
    assert kube.padded(image) == image
    for block in (-1, 4):
        assert _refusal(kube.image_block, image, block) == "block: 0..3, not %d" % block
    assert _refusal(kube.padded, b"") and _refusal(kube.padded, bytes(12289))
    assert len(kube.padded(bytes(12288))) == 12288


def test_control_packets_of_a_wrong_length_or_range():
    for call in (
        kube.decode_pair_request,
        kube.decode_pair_reply,
        kube.decode_upgrade,
        kube.decode_download_request,
        kube.decode_block,
    ):
        for length in (0, 3, 67):
            assert "bytes, not %d" % length in _refusal(call, bytes(length))
    assert _refusal(kube.encode_pair_reply, FLK01A, 93, 31, _KEY) == "node: 1..30, not 31"
    assert _refusal(kube.encode_pair_reply, FLK01A, 93, 1, _KEY[1:]) == "key: 16 bytes, not 15"
    assert _refusal(kube.encode_pair_request, 70000, 0, 0, 0, _HW_ID) == "hw_type: 0..65535, not 70000"
    assert _refusal(kube.encode_upgrade, FLK01A, 1, 17, 0)
    assert KubeError("x").args == ("x",)


def test_the_group_of_a_device():
    for first, group in (("00", 1), ("d1", 210), ("d2", 1), ("ff", 46)):
        assert kube.collect_group(first + "0" * 30) == group
