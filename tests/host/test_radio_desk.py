"""The desk of the radio: what each packet and each request leads to, byte for byte where there are vectors."""

import json
from itertools import count

import pytest
from host.making import make_hello
from host.radio_records import FRAMES, PAIR_REQUEST, WEATHER_A, WEATHER_B
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.domain.kube_upgrade import WAIT_S
from fluksometer.domain.kubes import KubeBook, pair
from fluksometer.domain.terminal_readings import RadioPacket, RadioStatus
from fluksometer.domain.told import ToldBook
from fluksometer.radio_desk import SILENT_S, RadioDesk, RadioPlace
from fluksometer.shared.kube import FLK01A, FLK01B, encode_pair_request, encode_upgrade
from fluksometer.shared.rf12 import MAX_PAYLOAD
from fluksometer.shared.terminal_records import RADIO_LISTEN, RADIO_SEND

DEVICE = "5c" + "d" * 30
GROUP = 93
KEY = bytes.fromhex("0123456789abcdef") * 2
HELLO = make_hello(radio=1, radio_group=GROUP)
ASK = f"/device/{DEVICE}/request"


def ids():
    numbers = count(1)
    return lambda: f"{next(numbers):032x}"


class Radio:
    """A desk with some kubes, in a folder."""

    def __init__(self, folder, *types, network=1):
        self.told = ToldBook()
        self.file = KubeFile(folder)
        book, make_id = KubeBook(), ids()
        for at, hw_type in enumerate(types):
            book, _node = pair(book, hw_type, f"{at + 1:032x}", make_id)
        self.file.write(book)
        place = RadioPlace(device_id=DEVICE, network=network, group=GROUP, key=KEY)
        self.desk = RadioDesk(place, self.file, ImageFolder(folder / "images"), self.told, make_id)
        self.hello = make_hello(radio=network, radio_group=GROUP)
        self.step(0)

    def step(self, now_s):
        return self.desk.step(self.hello, now_s)

    def hear(self, group, header, payload, now_s=1.0, rssi_dbm=-70):
        """What is published, and what the board is asked, once this packet was heard."""
        packet = RadioPacket(t_us=0, group=group, header=header, rssi_dbm=rssi_dbm, acked=0, payload=bytes(payload))
        told = self.desk.take(self.hello, packet, 1_700_000_000 + now_s, now_s)
        more, asks = self.step(now_s)
        return told + more, asks

    def hear_frame(self, name, now_s=1.0):
        """A frame of the vectors."""
        frame = FRAMES[name]
        return self.hear(frame["group"], frame["header"], bytes.fromhex(frame["payload"]), now_s)

    def ask(self, what, payload=b"", now_s=1.0):
        self.desk.want(f"{ASK}/{what}", payload)
        return self.step(now_s)

    def reasons(self):
        return [fields["reason"] for _event, fields in self.desk.warnings()]


def send_of(name):
    """The ask that puts this frame of the vectors on the air."""
    frame = FRAMES[name]
    return RADIO_SEND, (frame["group"], frame["header"], bytes.fromhex(frame["payload"]))


def said(messages, topic):
    return [json.loads(one.payload) for one in messages if one.topic == f"/device/{DEVICE}/{topic}"]


def test_a_pair_request_is_answered_as_the_vectors_have_it(tmp_path):
    radio = Radio(tmp_path, FLK01A, FLK01A, FLK01A, FLK01A)
    assert radio.hear_frame("pair request of a new FLK01B") == ([], [])  # nobody has opened the pairing
    messages, asks = radio.ask("pair")
    assert said(messages, "pair") == [{"state": "open", "seconds": 20}] and asks == [(RADIO_LISTEN, (212, 20))]
    assert radio.hear(212, 5, b"hello") == ([], [])
    messages, asks = radio.hear_frame("pair request of a new FLK01B", 20.9)
    assert asks == [(RADIO_LISTEN, (212, 0)), send_of("pair reply: group 93, node 5")]
    (told,) = said(messages, "pair")
    assert told == {"state": "paired", "node": 5, "name": "", "hw_id": bytes(range(16)).hex(), "known": False}
    assert list(said(messages, "config/kube")[0]) == ["main", "1", "2", "3", "4", "5"]
    assert radio.file.read().node_of(bytes(range(16)).hex()) == 5
    assert len(radio.told.sensors) == 4 * 5 + 8 and radio.told.changed
    assert radio.hear_frame("pair request of a new FLK01B", 21.0) == ([], [])


def test_without_an_image_a_kube_is_told_its_own_version(tmp_path):
    radio = Radio(tmp_path, FLK01A, FLK01A, FLK01A, FLK01A, FLK01B)
    messages, asks = radio.hear_frame("upgrade request of node 5")
    assert asks == [send_of("upgrade reply to node 5")]
    assert said(messages, "config/kube")[0]["5"]["sw_version"] == 1 and radio.file.read().at(5).version == 1
    assert radio.hear_frame("its ack") == ([], []) and radio.hear(93, 0xA5, b"") == ([], [])
    (tmp_path / "images").mkdir()
    (tmp_path / "images/flk01b-0.bin").write_bytes(b"old")
    assert radio.hear_frame("upgrade request of node 5")[1] == [send_of("upgrade reply to node 5")]
    assert radio.hear_frame("download request, version 1, block 3")[1] == []
    assert "there is no image of version 1" in radio.reasons()[0]


def test_a_block_is_served_as_the_vectors_have_it(tmp_path):
    radio = Radio(tmp_path, FLK01A, FLK01A, FLK01A, FLK01A, FLK01B)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/flk01b-1.bin").write_bytes(bytes(192) + bytes(range(64)))
    _messages, ((layout, (group, header, payload)),) = radio.hear_frame("download request, version 1, block 3")
    assert (layout, group, header, payload[:2].hex(), len(payload)) == (RADIO_SEND, 93, 0xE5, "0200", 66)
    assert payload[2:18].hex() == "00d2a47a481af4c29062341ae8ba8452"


def test_two_kubes_that_listen_are_not_answered_at_once(tmp_path):
    radio = Radio(tmp_path, FLK01B, FLK01B)
    for node in (1, 2):
        request = RadioPacket(
            t_us=0, group=GROUP, header=0xA0 | node, rssi_dbm=0, acked=1, payload=encode_upgrade(FLK01B, node, 0, 0)
        )
        radio.desk.take(HELLO, request, None, float(node))
    assert radio.step(2.0)[1] == []
    assert radio.desk.next_deadline_s() == 1.0 + WAIT_S
    ((_layout, (_group, header, _payload)),) = radio.step(1.0 + WAIT_S)[1]
    assert header == 0xE2
    assert radio.step(10.0)[1] == []


def test_an_upgrade_request_of_another_type_is_refused(tmp_path):
    radio = Radio(tmp_path, FLK01A)
    assert radio.hear(GROUP, 0xA1, encode_upgrade(FLK01B, 1, 0, 0)) == ([], [])
    assert "says type 19218, but was paired as 19217" in radio.reasons()[0]
    assert radio.desk.summary()["radio_refused"] == 1


def test_counters_go_on_over_a_restart_of_the_kube(tmp_path):
    radio = Radio(tmp_path, FLK01B)
    payloads = []
    for now_s, number in ((1, 5), (9, 8)):
        payloads += radio.hear(GROUP, 1, number.to_bytes(4, "little"), now_s)[0]
    radio.hear(GROUP, 0xA1, encode_upgrade(FLK01B, 1, 0, 0), 20)
    payloads += radio.hear(GROUP, 1, (9).to_bytes(4, "little"), 30)[0]
    radio.ask("pair", b"", 40)
    radio.hear(212, 0xE0, encode_pair_request(FLK01B, GROUP, 1, 0, (1).to_bytes(16, "big")), 41)
    payloads += radio.hear(GROUP, 1, (11).to_bytes(4, "little"), 50)[0]
    counters = [json.loads(one.payload)[1] for one in payloads if one.topic.endswith("/counter")]
    assert counters == [5, 8, 17, 28] and not any(one.retain for one in payloads if one.topic.endswith("/counter"))


def test_a_failed_sensor_publishes_nothing_and_is_named(tmp_path):
    radio = Radio(tmp_path, FLK01B)
    messages, _asks = radio.hear(GROUP, 1, bytes.fromhex("ffffffffffffff7f1e"))
    assert [json.loads(one.payload)[1:] for one in messages] == [[2.9, "V"], [15, ""]]
    assert radio.reasons() == ["kube 1: temperature, humidity, light, pressure"]
    (told,) = said(radio.ask("kube", now_s=4.0)[0], "kube")
    assert told["kubes"]["1"] | {"hw_id": ""} == {
        "name": "",
        "type": "FLK01B",
        "hw_id": "",
        "version": 0,
        "heard_s": 3,
        "rssi_dbm": -70,
        "battery_v": 2.9,
        "errors": ["temperature", "humidity", "light", "pressure"],
    }


def test_what_is_nobodys_or_not_understood_is_counted_and_named(tmp_path):
    radio = Radio(tmp_path, FLK01A)
    assert radio.hear(GROUP + 1, 1, WEATHER_A) == ([], [])
    messages, _asks = radio.hear(GROUP, 2, WEATHER_A)
    assert said(messages, "radio/2") == [
        {"time": 1_700_000_001.0, "header": 2, "rssi_dbm": -70, "payload": WEATHER_A.hex()}
    ]
    assert radio.hear(GROUP, 1, WEATHER_B) == ([], [])
    assert radio.reasons() == [
        "a packet of node 2 is no kube's of this house",
        "kube 1: kube type 0x4b11 sends no packet of 9 bytes",
    ]
    assert radio.desk.warnings() == []
    assert radio.desk.summary() == {"radio_packets": 3, "radio_unknown": 1, "radio_refused": 1}


def test_packets_of_jeenodes_are_told_raw(tmp_path):
    radio = Radio(tmp_path, network=2)
    for header in (5, 0x25, 0x45):
        messages, asks = radio.hear(GROUP, header, b"\x01\xfe", rssi_dbm=0)
        assert said(messages, "radio/5") == [
            {"time": 1_700_000_001.0, "header": header, "rssi_dbm": None, "payload": "01fe"}
        ]
        assert not asks and not messages[0].retain
    assert radio.hear(GROUP, 0xC5, b"") == ([], []) and radio.reasons() == []  # an ack
    (told,) = said(radio.ask("pair")[0], "pair")
    assert told == {"state": "closed", "error": 'kubes are heard with network = "flukso" only'}


def test_a_silent_kube_is_named(tmp_path):
    radio = Radio(tmp_path, FLK01A, FLK01A)
    radio.hear(GROUP, 2, WEATHER_A, 100)
    radio.step(SILENT_S)
    assert radio.reasons() == []
    radio.step(SILENT_S + 61)
    assert radio.reasons() == ["kube 1: not heard for 3 minutes: battery, or distance?"]
    radio.hello = None
    radio.step(SILENT_S + 200)
    assert radio.reasons() == []
    radio.hello = HELLO  # another board, or the same again: it has to listen for a while first
    radio.step(SILENT_S + 300)
    radio.step(SILENT_S + 361)
    assert radio.reasons() == []


def test_the_pairing_closes_by_time_by_wish_and_with_the_board(tmp_path):
    radio = Radio(tmp_path)
    assert said(radio.ask("pair", b"5", 1.0)[0], "pair") == [{"state": "open", "seconds": 5}]
    assert radio.desk.next_deadline_s() == 6.0
    assert radio.step(5.9)[0] == [] and said(radio.step(6.0)[0], "pair") == [{"state": "closed"}]
    radio.ask("pair", b"60", 10.0)
    messages, asks = radio.ask("pair", b"0", 11.0)
    assert said(messages, "pair") == [{"state": "closed"}] and asks == [(RADIO_LISTEN, (212, 0))]
    radio.ask("pair", b"", 20.0)
    radio.hello = make_hello(radio=1, radio_group=GROUP, boot_id=8)
    (told,) = said(radio.step(21.0)[0], "pair")
    assert told == {"state": "closed", "error": "the board has started anew: try again"}
    assert radio.step(41.0) == ([], [])


@pytest.mark.parametrize(
    ("hello", "payload", "error"),
    [
        (None, b"", "no board is there"),
        (make_hello(radio=0), b"", "the board is being set: try again"),
        (make_hello(radio=1, radio_group=GROUP + 1), b"", "the board is being set: try again"),
        (HELLO, b"61", "seconds: 0 to 60, or nothing for 20"),
        (HELLO, b"-1", "seconds: 0 to 60, or nothing for 20"),
        (HELLO, b"\xb2", "seconds: 0 to 60, or nothing for 20"),
    ],
)
def test_pairing_that_can_not_be_opened_says_why(tmp_path, hello, payload, error):
    radio = Radio(tmp_path)
    radio.hello = hello
    messages, asks = radio.ask("pair", payload)
    assert (said(messages, "pair"), asks) == ([{"state": "closed", "error": error}], [])


def test_a_kube_that_can_not_be_paired_says_why_and_the_pairing_goes_on(tmp_path):
    radio = Radio(tmp_path, *[FLK01A] * 30)
    radio.ask("pair")
    (told,) = said(radio.hear(212, 0xE0, PAIR_REQUEST)[0], "pair")
    assert told["state"] == "refused" and "all 30 nodes are taken; remove one first" in told["error"]
    (told,) = said(radio.hear(212, 0xE0, b"short")[0], "pair")
    assert told == {"state": "refused", "error": "pair request: 22 bytes, not 5"}
    radio.file.path.unlink()
    radio.file.path.mkdir()
    again = encode_pair_request(FLK01B, 0, 0, 0, (1).to_bytes(16, "big"))
    messages, asks = radio.hear(212, 0xE0, again)
    assert "can't be written" in said(messages, "pair")[0]["error"] and asks == []  # what is not kept is not promised


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"{", "not JSON"),
        (b"[" * 1000, "not JSON"),
        (b" " * 1001 + b"{}", "not JSON"),
        (b"[]", "a table"),
        (b'{"node": 1}', 'nothing, {"node": 5, "name": "attic"}'),
        (b'{"node": 1, "name": "x", "remove": true}', 'nothing, {"node": 5, "name": "attic"}'),
        (b'{"name": "x"}', 'nothing, {"node": 5, "name": "attic"}'),
        (b'{"node": 1, "name": "a\\nb"}', "printable characters"),
        (b'{"node": 3, "remove": true}', "no kube is paired as node 3"),
        (b'{"node": "1", "remove": true}', "node: '1' is not allowed"),
    ],
)
def test_a_request_that_is_none_says_why(tmp_path, payload, error):
    radio = Radio(tmp_path, FLK01A)
    (told,) = said(radio.ask("kube", payload)[0], "kube")
    assert error in told["error"] and len(radio.file.read().kubes) == 1


def test_a_removed_kube_takes_its_sensors_along(tmp_path):
    radio = Radio(tmp_path, FLK01A, FLK01B)
    radio.ask("kube", b'{"node": 2, "name": "attic"}')
    assert {one.function for one in radio.told.sensors.values()} >= {"kube 1 humidity", "attic pressure"}
    messages, _asks = radio.ask("kube", b'{"node": 1, "remove": true}')
    assert len(radio.told.sensors) == 8 and list(said(messages, "kube")[0]["kubes"]) == ["2"]
    assert list(said(messages, "config/kube")[0]) == ["main", "2"]


def test_other_topics_are_not_its_own(tmp_path):
    radio = Radio(tmp_path)
    for topic in (f"/device/{'e' * 32}/request/pair", f"{ASK}/waveform", "pair"):
        radio.desk.want(topic, b"")
    assert radio.step(1.0) == ([], [])


PACKETS = st.builds(
    RadioPacket,
    t_us=st.just(0),
    group=st.sampled_from([GROUP, 212, 1]),
    header=st.one_of(st.integers(0, 255), st.sampled_from([1, 2, 0xE0, 0xA1, 0xA2])),
    rssi_dbm=st.integers(-127, 0),
    acked=st.integers(0, 1),
    payload=st.one_of(
        st.binary(max_size=MAX_PAYLOAD),
        st.sampled_from([4, 6, 8, 9, 2, 22]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
        st.just(PAIR_REQUEST),
    ),
)
STATUSES = st.builds(
    RadioStatus,
    t_us=st.just(0),
    chip=st.integers(0, 2),
    group=st.integers(0, 250),
    **dict.fromkeys(
        ("received", "bad_crc", "bad_length", "foreign", "sent", "acks", "not_sent", "resets"), st.integers(0, 9)
    ),
)
REQUESTS = st.tuples(st.sampled_from(["pair", "kube", "else"]), st.binary(max_size=40))


@given(st.lists(st.one_of(PACKETS, STATUSES, REQUESTS, st.none()), max_size=30))
@settings(max_examples=60, deadline=None)
def test_whatever_comes_is_borne(tmp_path_factory, events):
    radio = Radio(tmp_path_factory.mktemp("fuzz"), FLK01A, FLK01B)
    for at, event in enumerate(events):
        now_s = at * 1.5
        if isinstance(event, tuple):
            radio.desk.want(f"{ASK}/{event[0]}", event[1])
        elif event is None:
            radio.hello = None if radio.hello else HELLO
        else:
            radio.desk.take(HELLO, event, 1_700_000_000 + now_s, now_s)
        messages, asks = radio.step(now_s)
        for layout, values in asks:
            layout.pack(*values)  # whatever is asked of the board fits into its record
        for message in messages:
            assert isinstance(json.loads(message.payload), dict)
        radio.desk.warnings()
        radio.desk.summary()
        assert radio.desk.next_deadline_s() > now_s  # or the bridge would turn without a pause
    radio.file.read()  # what was kept is whole
