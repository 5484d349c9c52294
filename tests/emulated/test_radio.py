"""The radio of the board on an emulated RFM12B and RFM69CW, in a house with kubes, other nodes, a jammer and bad luck.

One run for each chip, in which the test plays the bridge through wire records; then each test looks at one part of it. Only the
last part, with JeeNodes, samples at full rate: there the air is fastest.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from emulated.board import FirmwareBoard

from fluksometer.faults import parse_toml
from fluksometer.shared import kube as codec
from fluksometer.shared.records import RADIO_FLUKSO, RADIO_JEENODE, RADIO_OFF
from fluksometer.shared.rf12 import ACK, CTL, DST, frame
from fluksometer.shared.rf_chips import FLUKSO, JEENODE, rfm12b_words, rfm69_registers
from fluksometer.shared.terminal_records import RADIO_LISTEN, RADIO_NONE, RADIO_RFM12B, RADIO_RFM69, RADIO_SEND
from house import mends
from house.air import Frame
from house.housefile import House
from house.nodes import SOUNDS

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("radio")]  # one boot for each chip

GROUP = 93
KEY = bytes.fromhex("0123456789abcdef0123456789abcdef")
SLOW_HZ, FULL_HZ = 4000, 20000
# When, in s: the bridge opens the pairing, something is on the air, a carrier drowns all (meanwhile another group is listened in,
# and the chip loses its supply), JeeNodes are heard, every frame is damaged, the run ends.
PAIRS_S, BUSY_S, JAM_S, JEENODES_S, DAMAGE_S, END_S = 2.3, 3.0, (3.4, 4.5), 4.55, (5.1, 5.3), 5.85
HOUSE = f"""
[[clamp]]
port = 1
current_a = 10.0
[radio]
chip = "CHIP"
[[kube]]
node = 9
start_s = {PAIRS_S + 0.15}
period_s = 1.6
movement_hz = 5.0
[[kube]]
node = 7
type = "a"
paired = true
start_s = {PAIRS_S - 0.5}
period_s = 0.8
[[node]]
node = 3
group = {GROUP}
air = "flukso"
period_s = 0.3
start_s = {PAIRS_S - 0.45}
count = 2
[[node]]
node = 11
payload = "{"a5" * 66}"
period_s = 0.06
start_s = {JEENODES_S + 0.3}
count = 12
[faults]
radio_jam_s = [[{JAM_S[0]}, {JAM_S[1]}]]
"""


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
def run(
    request: pytest.FixtureRequest, image: Path, flashed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    """What came of some seconds, always the same: the chip's noise, with which the board waits for quiet, has a seed."""
    own = tmp_path_factory.mktemp(request.param) / "pico.flash"
    shutil.copy(flashed, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mends, "randbits", Random(1).getrandbits)
        board = FirmwareBoard(image, parse_toml(HOUSE.replace("CHIP", request.param), House, source="house"), own)
        seen = SimpleNamespace(chip=request.param, board=board, house=board.pico.radio)
        bridge = Bridge(board)
        without_chip(seen)
        with_kubes(seen, bridge)
        with_faults(seen, bridge)
        with_jeenodes(seen, bridge)
        yield seen
    board.pico.close()


def without_chip(run: SimpleNamespace) -> None:
    """Its socket is empty."""
    board = run.board
    board.pico.radio.plug(False)
    board.run(0.8)
    board.set(rate_hz=SLOW_HZ, radio=RADIO_FLUKSO, radio_group=GROUP)
    board.send(RADIO_SEND.kind, RADIO_SEND.pack(GROUP, 1, b""))
    board.wait(lambda: board.of("radio_status"), "status")
    board.set(rate_hz=SLOW_HZ, radio=RADIO_OFF, radio_group=GROUP)
    board.send(RADIO_LISTEN.kind, RADIO_LISTEN.pack(212, 20))
    board.run(0.05)
    run.unplugged_logs = [log["text"] for log in board.of("log")]
    board.pico.radio.plug(True)


def with_kubes(run: SimpleNamespace, bridge: Bridge) -> None:
    """Chip found; kubes ask, pair and report; a packet of the bridge waits for quiet."""
    run.board.set(rate_hz=SLOW_HZ, radio=RADIO_FLUKSO, radio_group=GROUP)
    bridge.run_to(PAIRS_S - 0.05)
    run.setting = chip_setting(run.board)
    bridge.listen(codec.PAIR_GROUP, codec.PAIRING_S)
    bridge.run_to(BUSY_S)
    on_air_for(run.board, b"\xaa" * 350)  # 146 ms
    run.busy_until_s = bridge.now_s + 350 * 8 / SOUNDS["flukso"].bit_rate
    bridge.send(GROUP, 0x1E, bytes(range(66)))
    bridge.run_to(JAM_S[0])


def with_faults(run: SimpleNamespace, bridge: Bridge) -> None:
    """A jam, longer than a packet waits; another group for a second; the supply of the chip fails."""
    bridge.run_to(JAM_S[0] + 0.01)
    bridge.send(GROUP, 0x1D, b"never")
    bridge.listen(50, 1)
    bridge.run_to(JAM_S[0] + 0.1)
    run.board.pico.radio.power_on()
    bridge.run_to(JEENODES_S)
    run.resets = run.board.of("radio_status")[-1]["resets"]


def with_jeenodes(run: SimpleNamespace, bridge: Bridge) -> None:
    """A node of the other sound sends as much as a packet holds, one behind the other; some are damaged."""
    run.board.set(rate_hz=FULL_HZ, radio=RADIO_JEENODE, radio_group=212)
    bridge.run_to(DAMAGE_S[0])
    run.house.air.loss = 1.0
    bridge.run_to(DAMAGE_S[1])
    run.house.air.loss = 0.0
    bridge.run_to(END_S - 0.1)
    run.jeenode_setting = chip_setting(run.board)
    bridge.listen(1, 1)  # so that a status comes now
    bridge.run_to(END_S)


def chip_setting(board: FirmwareBoard) -> Any:
    """What the driver has made of the chip, as far as docs/radio.md has it."""
    chip = board.pico.radio.chip
    return chip.words.copy() if hasattr(chip, "words") else bytes(chip.registers)


def clock_offset_s(run: SimpleNamespace) -> float:
    """House time of the board's zero, from the first hello."""
    packet = next(p for p in run.board.of("packet") if p["payload"] == b"hello")
    first = next(f for f in run.house.sent_by("node 3") if f.frame)
    return float(first.end_s - packet["t_us"] / 1e6)


def test_without_a_chip_the_board_goes_on_and_says_so_once(run) -> None:
    status = run.board.of("radio_status")[0]
    assert (status["chip"], status["group"]) == (RADIO_NONE, 0)
    assert run.unplugged_logs == ["radio: no chip answers on its pins", "refused: radio_listen: the radio is off"]


def test_the_chip_is_found_and_set_up_as_the_tables_say(run) -> None:
    chip = {"rfm12b": RADIO_RFM12B, "rfm69": RADIO_RFM69}[run.chip]
    assert {status["chip"] for status in run.board.of("radio_status")} == {RADIO_NONE, chip}
    for setting, air, group in ((run.setting, FLUKSO, GROUP), (run.jeenode_setting, JEENODE, 212)):
        if run.chip == "rfm12b":
            wanted = rfm12b_words(air, group)
            assert any(setting[at : at + len(wanted)] == wanted for at in range(len(setting)))
        else:
            for address, value in rfm69_registers(air, group)[1:]:
                assert setting[address] == value, hex(address)
            assert setting[0x01] == 0x10  # receives
    assert run.chip == "rfm69" or run.house.chip.fifo_too_fast == 0


def should_hear(run: SimpleNamespace, sent: Frame) -> bool:
    """Whether the board listened in that group and air then, and nothing else was on it."""
    if sent.lost or sent.who == "board" or not sent.frame or JAM_S[0] < sent.end_s < JAM_S[1] + 0.02:
        return False
    if any(  # its own transmitter until 2 ms before: the receiver was not on yet
        other is not sent and other.start_s < sent.end_s and other.end_s > sent.start_s - 0.002
        for other in run.house.sent
    ):
        return False
    if sent.who == "node 11":
        return True
    if sent.frame[0] == GROUP:
        away = PAIRS_S - 0.1 < sent.end_s < PAIRS_S + 0.35  # until the pairing has ended
        return not away and sent.start_s < JAM_S[0]
    return PAIRS_S < sent.start_s < PAIRS_S + 0.35


def test_packets_arrive_whole_with_the_time_of_their_end(run, record_property) -> None:
    offset_s, late_ms, who = clock_offset_s(run), [], set()
    for sent in run.house.sent:
        if not should_hear(run, sent):
            continue
        near = [p for p in run.board.of("packet") if abs(p["t_us"] / 1e6 + offset_s - sent.end_s) < 0.015]
        told = [bytes((p["group"], p["header"], len(p["payload"]))) + p["payload"] for p in near]
        assert sent.frame[:-2] in told, (sent, told)
        late_ms.append(abs(near[told.index(sent.frame[:-2])]["t_us"] / 1e6 + offset_s - sent.end_s) * 1e3)
        who.add(sent.who)
    record_property("packets compared", len(late_ms))
    record_property("largest error of their time in ms", round(max(late_ms), 2))
    assert who == {"kube 9", "kube 7", "node 3", "node 11"} and len(late_ms) > 11 and max(late_ms) < 1
    rssi = {packet["rssi_dbm"] for packet in run.board.of("packet")}
    assert rssi == ({0} if run.chip == "rfm12b" else {-60})


def test_acks_reach_the_nodes_in_time(run, record_property) -> None:
    kubes = [asked for asked in run.house.asked if asked.packet.header & CTL and asked.ack_ms]
    flukso = [asked for asked in run.house.asked if asked.who == "node 3" and asked.ack_ms]
    assert all(asked.ack_ms < 10 for asked in kubes) and len(kubes) == 3  # pair request, two upgrade requests
    assert all(asked.ack_ms < 10 for asked in flukso) and flukso
    record_property("ack at a kube, ms", [round(asked.ack_ms, 1) for asked in kubes])
    record_property("ack at a node of Flukso's sound, ms", [round(asked.ack_ms, 1) for asked in flukso])


def test_no_packet_of_66_bytes_at_full_speed_is_lost_beside_full_sampling(run, record_property) -> None:
    sent = run.house.sent_by("node 11")
    whole = [one for one in sent if not one.lost]
    arrived = [packet for packet in run.board.of("packet") if packet["payload"] == b"\xa5" * 66]
    assert len(sent) == 12 and len(arrived) == len(whole) > 6 and all(packet["acked"] for packet in arrived)
    assert run.house.chip.overruns == 0
    acks = [one for one in run.house.sent_by("board") if one.start_s > JEENODES_S and not one.lost]
    answered = [asked.ack_ms for asked in run.house.asked if asked.who == "node 11" and asked.ack_ms]
    assert len(answered) == len(acks) >= len(whole) - 1 and max(answered) < 4  # a JeeNode waits for 10 ms
    record_property("ack at a JeeNode, ms", [round(ms, 1) for ms in answered])
    windows = run.board.of("clamp")
    assert {window["gap_samples"] for window in windows} == {0} and max(w["samples"] for w in windows) > 0.9 * FULL_HZ
    assert not run.board.of("log")[2:] and run.board.deframer.dropped == 0


def test_damaged_packets_are_counted_and_never_reported(run) -> None:
    assert len([one for one in run.house.sent_by("node 11") if one.lost]) >= 2
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
    changes = [group for at, group in enumerate(groups) if group != groups[at - 1] or not at]
    assert changes == [0, GROUP, codec.PAIR_GROUP, GROUP, 50, GROUP, 212, 1]


def test_a_packet_of_the_host_waits_for_quiet_and_goes_out_byte_for_byte(run) -> None:
    sent = next(one for one in run.house.sent_by("board") if one.frame[1] == 0x1E)
    assert sent.frame == frame(GROUP, 0x1E, bytes(range(66)))
    assert run.busy_until_s < sent.start_s < run.busy_until_s + 0.2


def test_in_a_jam_nothing_is_sent_and_it_is_told(run) -> None:
    ours = [one for one in run.house.sent_by("board") if one.frame]
    assert not [one for one in ours if one.frame[1] == 0x1D or JAM_S[0] < one.start_s < JAM_S[1]]
    acks = [one for one in ours if not one.frame[2]]
    status = run.board.of("radio_status")[-1]
    assert (status["acks"], status["sent"], status["not_sent"]) == (len(acks), len(ours) - len(acks), 2)


def test_a_chip_that_lost_its_supply_is_set_up_again(run) -> None:
    status = run.board.of("radio_status")[-1]
    assert run.resets == status["resets"] == 1
