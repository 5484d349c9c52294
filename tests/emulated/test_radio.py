"""The radio of the board on an emulated RFM12B and RFM69CW, in a house with kubes, other nodes, a jammer and bad luck.

One run for each chip, in which the test plays the bridge through wire records; then each test looks at one part of it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from emulated.board import FirmwareBoard

from fluksometer.faults import parse_toml
from fluksometer.shared import kube as codec
from fluksometer.shared.records import RADIO_FLUKSO, RADIO_JEENODE, RADIO_OFF
from fluksometer.shared.rf12 import ACK, CTL, DST, frame, on_air
from fluksometer.shared.rf_chips import FLUKSO, JEENODE, rfm12b_words, rfm69_registers
from fluksometer.shared.terminal_records import RADIO_LISTEN, RADIO_NONE, RADIO_RFM12B, RADIO_RFM69, RADIO_SEND
from house.air import Frame
from house.housefile import House
from house.nodes import SOUNDS

pytestmark = pytest.mark.emulated

GROUP = 93
KEY = bytes.fromhex("0123456789abcdef0123456789abcdef")
JAM_S = (4.0, 5.2)
HOUSE = f"""
[[clamp]]
port = 1
current_a = 10.0
[radio]
chip = "CHIP"
[[kube]]
node = 9
start_s = 2.1
period_s = 1.6
movement_hz = 2.5
[[kube]]
node = 7
type = "a"
paired = true
start_s = 1.3
period_s = 0.8
[[node]]
node = 3
group = {GROUP}
air = "flukso"
period_s = 0.3
start_s = 1.1
count = 9
[[node]]
node = 11
payload = "{"a5" * 66}"
period_s = 0.06
start_s = 7.0
count = 20
ack_ms = 40
[faults]
radio_jam_s = [[{JAM_S[0]}, {JAM_S[1]}]]
"""
MakeAny = Callable[[str], FirmwareBoard]


@pytest.fixture(scope="module")
def make(image: Path, flashed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeAny]:
    """As make_board, for boards that all tests of this file look at."""
    boards: list[FirmwareBoard] = []

    def make_one(chip: str) -> FirmwareBoard:
        own = tmp_path_factory.mktemp(chip) / "pico.flash"
        shutil.copy(flashed, own)
        house = parse_toml(HOUSE.replace("CHIP", chip), House, source="house")
        boards.append(FirmwareBoard(image, house, own))
        return boards[-1]

    yield make_one
    for board in boards:
        board.pico.close()


class Bridge:
    """Answers kubes as a bridge would, and notes what the status was at each step."""

    def __init__(self, board: FirmwareBoard) -> None:
        self.board = board
        self._seen = 0

    @property
    def now_s(self) -> float:
        return self.board.pico.nanos / 1e9

    def send(self, group: int, header: int, payload: bytes) -> None:
        self.board.send(RADIO_SEND.kind, RADIO_SEND.pack(group, header, payload))

    def listen(self, group: int, seconds: int) -> None:
        self.board.send(RADIO_LISTEN.kind, RADIO_LISTEN.pack(group, seconds))

    def run_to(self, t_s: float) -> None:
        while self.now_s < t_s:
            self.board.run(min(0.02, t_s - self.now_s + 0.001))
            packets = self.board.of("packet")
            for packet in packets[self._seen :]:
                self._answer(packet)
            self._seen = len(packets)

    def _answer(self, packet: dict[str, Any]) -> None:
        header, payload, size = packet["header"], packet["payload"], len(packet["payload"])
        if header == codec.PAIR_REQUEST and size == 22:
            hw_type = codec.decode_pair_request(payload)[0]
            self.listen(GROUP, 0)
            self.send(codec.PAIR_GROUP, CTL | ACK, codec.encode_pair_reply(hw_type, GROUP, 9, KEY))
        elif header & ~0x1F == CTL | ACK and size == 8:
            self.send(GROUP, header | DST, payload)


def on_air_for(board: FirmwareBoard, data: bytes) -> None:
    """Somebody else sends these bytes now."""
    board.pico.radio.air.begin("somebody", SOUNDS["flukso"], -60, data, whole=True)


@pytest.fixture(scope="module", params=["rfm12b", "rfm69"])
def run(request: pytest.FixtureRequest, make: MakeAny) -> SimpleNamespace:
    """What came of nine seconds."""
    board = make(request.param)
    bridge = Bridge(board)
    board.run(0.8)
    board.set(rate_hz=20000, radio=RADIO_FLUKSO, radio_group=GROUP)
    bridge.run_to(1.9)
    setting = chip_setting(board)
    bridge.listen(codec.PAIR_GROUP, codec.PAIRING_S)
    bridge.run_to(3.4)
    on_air_for(board, b"\xaa" * 350)  # 146 ms
    busy_until_s = bridge.now_s + 350 * 8 / SOUNDS["flukso"].bit_rate
    bridge.send(GROUP, 0x1E, bytes(range(66)))
    bridge.run_to(4.05)
    bridge.send(GROUP, 0x1D, b"never")
    bridge.run_to(5.3)
    bridge.listen(50, 1)
    bridge.run_to(5.35)
    power_cut_at = len(board.records)
    board.pico.radio.power_on()
    bridge.run_to(6.8)
    board.set(rate_hz=20000, radio=RADIO_JEENODE, radio_group=212)
    board.pico.radio.air.loss = 0.2
    bridge.run_to(8.5)
    jeenode_setting = chip_setting(board)
    bridge.listen(1, 1)  # so that a status comes now
    bridge.run_to(8.6)
    return SimpleNamespace(
        chip=request.param,
        board=board,
        house=board.pico.radio,
        setting=setting,
        jeenode_setting=jeenode_setting,
        busy_until_s=busy_until_s,
        power_cut_at=power_cut_at,
    )


def chip_setting(board: FirmwareBoard) -> Any:
    """What the driver has made of the chip, as far as docs/radio.md has it."""
    chip = board.pico.radio.chip
    return chip.words.copy() if hasattr(chip, "words") else bytes(chip.registers)


def clock_offset_s(run: SimpleNamespace) -> float:
    """House time of the board's zero: from the first hello after the settings, within the 50 ms of a look."""
    packet = next(p for p in run.board.of("packet") if p["payload"] == b"hello")
    first = next(f for f in run.house.sent_by("node 3") if f.frame)
    return float(first.end_s - packet["t_us"] / 1e6)


def test_the_chip_is_found_and_set_up_as_the_tables_say(run) -> None:
    chip = {"rfm12b": RADIO_RFM12B, "rfm69": RADIO_RFM69}[run.chip]
    assert {status["chip"] for status in run.board.of("radio_status")} == {chip}
    if run.chip == "rfm12b":
        for words, air, group in ((run.setting, FLUKSO, GROUP), (run.jeenode_setting, JEENODE, 212)):
            wanted = rfm12b_words(air, group)
            assert any(words[at : at + len(wanted)] == wanted for at in range(len(words)))
        assert run.house.chip.fifo_too_fast == 0
    else:
        for registers, air, group in ((run.setting, FLUKSO, GROUP), (run.jeenode_setting, JEENODE, 212)):
            for address, value in rfm69_registers(air, group)[1:]:
                assert registers[address] == value, hex(address)
            assert registers[0x01] == 0x10  # receives
    assert run.chip == "rfm69" or run.house.chip.overruns == 0  # at JeeNodes' rate a collection is longer than its FIFO


def heard(run: SimpleNamespace, who: str) -> list[Frame]:
    """Frames that the board should have: in the group and the air that it was set to, not jammed, not under our own."""
    return [sent for sent in run.house.sent_by(who) if not sent.lost and not JAM_S[0] < sent.end_s < JAM_S[1] + 0.1]


def test_packets_arrive_whole_with_the_time_of_their_end(run, record_property) -> None:
    offset_s, late_ms = clock_offset_s(run), []
    packets = run.board.of("packet")
    for who, group in (("kube 9", GROUP), ("kube 7", GROUP), ("node 3", GROUP), ("node 11", 212)):
        for sent in heard(run, who):
            if who == "node 11" and run.chip == "rfm69":
                continue  # some of them are lost: see below
            elsewhere = 1.85 < sent.start_s < 2.3 or (5.2 < sent.start_s < 6.9 if group == 212 else sent.start_s > 5.2)
            if sent.frame[0] != group or elsewhere:
                continue  # while another group was listened in, or another sound
            near = [p for p in packets if abs(p["t_us"] / 1e6 + offset_s - sent.end_s) < 0.015]
            told = [bytes((p["group"], p["header"], len(p["payload"]))) + p["payload"] for p in near]
            if collided(run, sent):
                continue
            assert sent.frame[:-2] in told, (sent, told)
            late_ms.append(abs(near[told.index(sent.frame[:-2])]["t_us"] / 1e6 + offset_s - sent.end_s) * 1e3)
    record_property("packets compared", len(late_ms))
    record_property("largest error of their time in ms", round(max(late_ms), 2))
    assert len(late_ms) > 8 and max(late_ms) < 3
    rssi = {packet["rssi_dbm"] for packet in packets}
    assert rssi == ({0} if run.chip == "rfm12b" else {-60})


def collided(run: SimpleNamespace, sent: Frame) -> bool:
    """Whether somebody else sent at the same time, or the board until 2 ms before: its receiver was not on yet."""
    return any(
        other is not sent and other.start_s < sent.end_s and other.end_s > sent.start_s - 0.002
        for other in run.house.sent
    )


def test_acks_reach_the_nodes_in_time(run, record_property) -> None:
    flukso = [asked for asked in run.house.asked if asked.who == "node 3" and asked.at_s < 1.85]
    kubes = [asked for asked in run.house.asked if asked.packet.header & CTL and asked.ack_ms]
    jeenode = [asked for asked in run.house.asked if asked.who == "node 11"]
    assert flukso and all(asked.ack_ms for asked in flukso)
    assert all(asked.ack_ms < 250 for asked in kubes) and len(kubes) == 3  # pair request, two upgrade requests
    record_property("ack at a kube, ms", [round(asked.ack_ms, 1) for asked in kubes])
    record_property("ack at a node of Flukso's sound, ms", [round(asked.ack_ms, 1) for asked in flukso])
    answered = [asked.ack_ms for asked in jeenode if asked.ack_ms]
    record_property("ack at a JeeNode, ms", [round(ms, 1) for ms in answered])
    lost = [sent for sent in run.house.sent if sent.lost]
    assert len(jeenode) == 20 and len(answered) > (8 if run.chip == "rfm12b" else 3)
    assert run.chip == "rfm69" or len(answered) >= 20 - len(lost)
    # JeeNodes wait for some 10 ms. An interrupt answers at once; a task between its other duties, a collection of 20 ms among them.
    assert max(answered) < (4 if run.chip == "rfm12b" else 35)
    assert sorted(answered)[len(answered) // 2] < (4 if run.chip == "rfm12b" else 10)


def test_lost_packets_are_counted_and_never_reported(run) -> None:
    arrived = [packet for packet in run.board.of("packet") if packet["payload"] == b"\xa5" * 66]
    sent = run.house.sent_by("node 11")
    whole = [one for one in sent if not one.lost]
    assert len(sent) - len(whole) >= 3 and 5 < len(arrived) <= len(whole)
    assert run.chip == "rfm69" or len(arrived) == len(whole)
    assert all(packet["acked"] for packet in arrived)
    status = run.board.of("radio_status")[-1]
    assert status["bad_crc"] + status["bad_length"] > 0
    assert status["received"] == len(run.board.of("packet"))


def test_a_kube_pairs_asks_for_firmware_and_reports(run) -> None:
    kube = run.house.kubes[0]
    assert (kube.group, kube.node, kube.key) == (GROUP, 9, KEY)
    pairing, upgrade = [asked for asked in run.house.asked if asked.who == "kube 9"][:2]
    assert pairing.packet.group == codec.PAIR_GROUP and pairing.answer_ms < 2500
    assert upgrade.packet.group == GROUP and upgrade.answer_ms < 2500
    values = [p["payload"] for p in run.board.of("packet") if p["header"] == 9]
    told = codec.decode(codec.FLK01B, next(payload for payload in values if len(payload) == 9))
    assert (told["temperature"], told["pressure"]) == (21500, 101325000)
    assert [payload for payload in values if len(payload) == 4]
    groups = [status["group"] for status in run.board.of("radio_status")]
    assert [group for at, group in enumerate(groups) if group != groups[at - 1] or not at] == [
        93,
        212,
        93,
        50,
        93,
        212,
        1,
    ]


def test_a_packet_of_the_host_waits_for_quiet_and_goes_out_byte_for_byte(run) -> None:
    sent = next(one for one in run.house.sent_by("board") if one.frame[1] == 0x1E)
    assert sent.frame == frame(GROUP, 0x1E, bytes(range(66)))
    assert run.busy_until_s < sent.start_s < run.busy_until_s + 0.2


def test_in_a_jam_nothing_is_sent_and_it_is_told(run) -> None:
    jammed = [one for one in run.house.sent_by("board") if JAM_S[0] < one.start_s < JAM_S[1]]
    assert not [one for one in jammed if one.frame[1:2] == b"\x1d"]
    assert run.board.of("radio_status")[-1]["not_sent"] == 1
    ours = [one for one in run.house.sent_by("board") if one.frame]
    acks = [one for one in ours if not one.frame[2]]
    status = run.board.of("radio_status")[-1]
    assert (status["acks"], status["sent"]) == (len(acks), len(ours) - len(acks))


def test_a_chip_that_lost_its_supply_is_set_up_again(run) -> None:
    resets = run.board.of("radio_status")[-1]["resets"]
    assert resets == 1 if run.chip == "rfm12b" else resets >= 1
    assert [name for name, _ in run.board.records[run.power_cut_at :]].count("packet") > 10


def test_sampling_at_full_rate_loses_nothing_meanwhile(run) -> None:
    windows = run.board.of("clamp", 1)[3:]
    assert len(windows) >= 3 and {window["gap_samples"] for window in run.board.of("clamp")} == {0}
    assert not run.board.of("log") and run.board.deframer.dropped == 0


def test_without_a_chip_the_board_goes_on_and_says_so_once(make) -> None:
    board = make("none")
    board.run(0.8)
    board.set(rate_hz=4000, radio=RADIO_FLUKSO, radio_group=GROUP)
    board.send(RADIO_SEND.kind, RADIO_SEND.pack(GROUP, 1, b""))
    board.wait(lambda: board.of("radio_status"), "status")
    assert [log["text"] for log in board.of("log")] == ["radio: no chip answers on its pins"]
    board.set(rate_hz=4000, radio=RADIO_OFF, radio_group=GROUP)
    board.send(RADIO_LISTEN.kind, RADIO_LISTEN.pack(212, 20))
    board.run(0.2)
    assert board.of("log")[-1]["text"] == "refused: radio_listen: the radio is off"
    status = board.of("radio_status")[-1]
    assert (status["chip"], status["group"]) == (RADIO_NONE, 0)
    assert len(on_air(frame(1, 1, b""))) == 10
