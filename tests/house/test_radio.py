"""The radio chips of the house against their data sheets' facts, and nodes that do what kubes do."""

import itertools
from types import SimpleNamespace

import pytest
from rp2040py.rp2040 import RP2040

from fluksometer.shared import kube as codec
from fluksometer.shared.rf12 import ACK, CTL, frame, on_air
from fluksometer.shared.rf_chips import FLUKSO, rfm12b_words, rfm69_registers
from house.air import Air
from house.nodes import SOUNDS, Asked, KubeNode, PlainNode
from house.radiofile import Kube, Node
from house.rfm12b import FIFO_EMPTY, LOST, LOUD, POWER_ON, READY, Rfm12b
from house.rfm69 import Rfm69

BYTE_NS = 8e9 / SOUNDS["flukso"].bit_rate
HELLO = frame(93, 3, b"hello")


@pytest.fixture
def place():
    """A clock that is moved by hand, and the air."""
    mcu = RP2040()
    return SimpleNamespace(clock=mcu.clock, air=Air(mcu.clock, 0.0, [], 1))


class Wired:
    """A chip on a bus of 2 MHz with its line."""

    def __init__(self, place, kind, *more) -> None:
        self.clock, self.level = place.clock, None
        self.chip = kind(place.air, 0.0, self._line, *more)

    def _line(self, level) -> None:
        self.level = level

    def bytes(self, *out: int, hz: float = 2e6) -> list[int]:
        self.chip.select(True)
        back = [self.chip.exchange(byte, hz) for byte in out]
        self.chip.select(False)
        return back

    def word(self, word: int) -> int:
        high, low = self.bytes(word >> 8, word & 0xFF)
        return high << 8 | low

    def wait(self, ns: float) -> None:
        self.clock.tick(ns)


def rfm12b(place) -> Wired:
    """One that listens in group 93."""
    wired = Wired(place, Rfm12b, 1)
    wired.word(0)
    for word in (*rfm12b_words(FLUKSO, 93), 0x8281, 0xCA81, 0xCA83):
        wired.word(word)
    return wired


def test_an_rfm12b_at_power_on_calls_until_its_status_is_read(place):
    wired = Wired(place, Rfm12b, 1)
    assert wired.level is False
    assert wired.word(0) & (POWER_ON | FIFO_EMPTY | READY) == POWER_ON | FIFO_EMPTY
    assert wired.level is True and not wired.word(0) & POWER_ON


def test_an_rfm12b_calls_for_each_byte_behind_the_sync_word(place):
    wired, heard = rfm12b(place), []
    place.air.begin("node", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
    wired.wait(5.2 * BYTE_NS)  # three of preamble, two of sync, and not yet eight bits
    assert wired.level is True and wired.word(0) & (LOUD | FIFO_EMPTY) == LOUD | FIFO_EMPTY
    for _ in HELLO[1:]:
        wired.wait(BYTE_NS)
        assert wired.level is False
        status, _, byte = wired.bytes(0, 0, 0)
        assert status & READY >> 8 and wired.level is True
        heard.append(byte)
    assert bytes(heard) == HELLO[1:]


def test_a_fifo_of_sixteen_bits_runs_over_at_the_seventeenth(place):
    wired = rfm12b(place)
    place.air.begin("node", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
    wired.wait(7.05 * BYTE_NS)
    assert not wired.word(0) & LOST
    wired.wait(0.2 * BYTE_NS)
    assert wired.word(0) & LOST and not wired.word(0) & LOST
    assert wired.bytes(0xB0, 0)[1] == HELLO[1]


def test_a_fifo_read_faster_than_the_data_sheet_allows_is_noticed(place):
    wired = rfm12b(place)
    wired.bytes(0, 0, 0, hz=3e6)
    assert wired.chip.fifo_too_fast == 1


@pytest.mark.parametrize("change", [0xA640, 0xC606, 0xCE5E])  # carrier, rate, group of somebody else
def test_an_rfm12b_hears_only_what_it_was_set_to(place, change):
    wired = rfm12b(place)
    for word in (0xCA81, change, 0xCA83):
        wired.word(word)
    place.air.begin("node", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
    wired.wait(20 * BYTE_NS)
    assert wired.word(0) & FIFO_EMPTY


def test_an_rfm12b_asks_for_each_byte_that_it_sends(place):
    wired = rfm12b(place)
    wired.word(0xCA81)
    wired.word(0x8221)
    out = on_air(HELLO)
    for byte in out:
        for _ in range(200):
            if wired.level is False:
                break
            wired.wait(BYTE_NS / 20)
        assert wired.level is False
        wired.word(0xB800 | byte)
    while wired.level:
        wired.wait(BYTE_NS / 20)
    assert not wired.word(0) & LOST
    wired.word(0x8281)
    assert [sent.frame for sent in place.air.sent] == [HELLO]
    # Preset AA, three of preamble, sync byte, frame: then it was switched off, in the middle of the tail.
    took = (place.air.sent[0].end_s - place.air.sent[0].start_s) * 1e9 / BYTE_NS
    assert took == pytest.approx(1 + 3 + 1 + len(HELLO), abs=0.2)


def test_an_rfm12b_that_is_brought_no_byte_says_so(place):
    wired = rfm12b(place)
    wired.word(0x8221)
    wired.wait(4e6)
    assert wired.word(0) & LOST


def rfm69(place) -> Wired:
    """One that listens in group 93 with FifoLevel on DIO1."""
    wired = Wired(place, Rfm69)
    for address, value in (*rfm69_registers(FLUKSO, 93), (0x25, 0x00), (0x01, 0x10)):
        wired.bytes(address | 0x80, value)
    wired.wait(1e6)
    return wired


def test_an_rfm69_tells_its_version_and_comes_out_of_reset_in_standby(place):
    wired = Wired(place, Rfm69)
    assert wired.bytes(0x10, 0)[1] == 0x24
    wired.bytes(0x81, 0x10)
    wired.chip.reset_line(True)
    assert wired.bytes(0x10, 0)[1] == 0
    wired.chip.reset_line(False)
    assert wired.bytes(0x01, 0)[1] == 0x04


def test_an_rfm69_raises_dio1_at_the_fourth_byte_behind_the_sync_word(place):
    wired = rfm69(place)
    quiet = wired.bytes(0x24, 0)[1]
    place.air.begin("node", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
    wired.wait(8.5 * BYTE_NS)  # three of preamble, two of sync, three and a half
    assert wired.level is False and wired.bytes(0x28, 0)[1] & 0x60 == 0x40
    assert wired.bytes(0x24, 0)[1] == 120 < quiet
    wired.wait(0.6 * BYTE_NS)
    assert wired.level is True and wired.bytes(0x28, 0)[1] & 0x60 == 0x60
    heard = wired.bytes(0x00, 0, 0, 0, 0)[1:]
    assert wired.level is False
    wired.wait((len(HELLO) - 5) * BYTE_NS)
    assert bytes(heard + wired.bytes(0x00, *bytes(len(HELLO) - 5))[1:]) == HELLO[1:]
    wired.wait(70 * BYTE_NS)  # noise goes on behind the frame
    assert wired.bytes(0x28, 0)[1] & 0x10
    wired.bytes(0x81, 0x04)
    wired.bytes(0x81, 0x10)
    assert wired.level is False and not wired.bytes(0x28, 0)[1] & 0x40


def test_an_rfm69_sends_preamble_sync_and_fifo_and_drops_dio1_before_its_end(place):
    wired = rfm69(place)
    for address, value in ((0x01, 0x04), (0x28, 0x10)):
        wired.bytes(address | 0x80, value)
    wired.bytes(0x80, *HELLO[1:], *b"\xaa" * 5)
    assert wired.level is True
    wired.bytes(0x81, 0x0C)
    wired.wait(160e3 + (5 + len(HELLO) - 1 + 0.9) * BYTE_NS)
    assert wired.level is True
    wired.wait(0.2 * BYTE_NS)  # one of the five is out, the next begins
    assert wired.level is False and not wired.bytes(0x28, 0)[1] & 0x08
    wired.wait(6 * BYTE_NS)
    assert wired.bytes(0x28, 0)[1] & 0x08 and [sent.frame for sent in place.air.sent] == [HELLO]


def test_two_at_once_spoil_each_other_unless_one_is_much_louder(place):
    wired = rfm12b(place)
    for dbm, whole in ((-60, False), (-80, True)):
        wired.word(0xCA81)
        wired.word(0xCA83)
        place.air.begin("near", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
        wired.wait(6.5 * BYTE_NS)
        place.air.begin("other", SOUNDS["flukso"], dbm, bytes(30), whole=True)
        heard = [wired.bytes(0, 0, 0)[2]]
        for _ in HELLO[2:]:
            wired.wait(BYTE_NS)
            heard.append(wired.bytes(0, 0, 0)[2])
        assert (bytes(heard) == HELLO[1:]) is whole
        wired.wait(60 * BYTE_NS)


def test_a_jam_is_loud_and_no_frame_comes_through(place):
    place.air._jams = [(0.0, 1.0)]
    wired = rfm12b(place)
    place.air.begin("node", SOUNDS["flukso"], -60, on_air(HELLO), whole=True)
    wired.wait(20 * BYTE_NS)
    assert wired.word(0) & (LOUD | FIFO_EMPTY) == LOUD | FIFO_EMPTY


def answer(place, group: int, header: int, payload: bytes = b"") -> None:
    place.air.begin("board", SOUNDS["flukso"], -40, on_air(frame(group, header, payload)), whole=True)


def run_to(place, t_s: float) -> None:
    while place.clock.nanos < t_s * 1e9:
        place.clock.tick(min(1e6, t_s * 1e9 - place.clock.nanos + 1))


def test_an_unpaired_kube_doubles_its_pause_and_listens_no_longer_than_it_must(place):
    asked: list[Asked] = []
    kube = KubeNode(place.air, Kube(node=5, start_s=0.1), asked)
    run_to(place, 7.5)
    pauses = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(asked)]
    assert pauses == pytest.approx([1.263, 2.263], abs=0.02)
    assert asked[0].packet.payload[6:] == bytes([5]) * 16 and kube.node == 0
    answer(place, 212, CTL | ACK)  # out of its 250 ms: it sleeps
    run_to(place, 7.6)
    assert all(one.ack_ms is None for one in asked)


def test_a_kube_that_is_answered_pairs_and_reports_from_then_on(place):
    asked: list[Asked] = []
    kube = KubeNode(place.air, Kube(node=5, start_s=0.1, period_s=8.0, movement_hz=1.0), asked)
    run_to(place, 0.13)
    answer(place, 212, CTL | ACK)
    run_to(place, 2.0)  # an empty answer: it waits 2.5 s now
    answer(place, 212, CTL | ACK, codec.encode_pair_reply(codec.FLK01B, 93, 7, bytes(range(16))))
    run_to(place, 2.6)
    assert (kube.group, kube.node, kube.key) == (93, 7, bytes(range(16)))
    assert asked[0].ack_ms < 25 and 1800 < asked[0].answer_ms < 2000
    assert [one.packet.header for one in asked] == [codec.PAIR_REQUEST, codec.REQUEST | 7] and asked[1].ack_ms is None
    run_to(place, 12.0)
    told = [sent.frame for sent in place.air.sent if sent.frame[:2] == bytes((93, 7))]
    assert [len(one) - 5 for one in told].count(9) == 2 and [len(one) - 5 for one in told].count(4) == 10
    assert codec.decode(codec.FLK01B, told[0][3:-2])["temperature"] == pytest.approx(21500, abs=10)


def test_a_kube_downloads_a_newer_image_block_by_block(place):
    asked: list[Asked] = []
    kube = KubeNode(place.air, Kube(node=5, start_s=0.1, paired=True), asked)
    image = codec.padded(bytes(range(200)))
    seen = 0
    for _ in range(300):
        run_to(place, place.clock.nanos / 1e9 + 0.005)
        if len(asked) == seen:
            continue
        seen, packet = len(asked), asked[-1].packet
        if packet.header != codec.REQUEST | 5:
            continue
        if len(packet.payload) == 8:
            offer = codec.encode_upgrade(codec.FLK01B, 2, len(image), codec.image_crc(image))
            answer(place, 93, 0xE5, offer)
        else:
            version, block = codec.decode_download_request(packet.payload)
            answer(place, 93, 0xE5, codec.encode_block(version, block, codec.image_block(image, block)))
    assert (kube.version, kube.image) == (2, image)


def test_a_plain_node_knows_its_ack_from_others(place):
    asked: list[Asked] = []
    PlainNode(place.air, Node(node=3, group=93, air="flukso", start_s=0.1, period_s=0.5), asked)
    run_to(place, 0.108)
    answer(place, 93, 0xC4)
    run_to(place, 0.6)
    assert asked[0].ack_ms is None
    while len(asked) < 2:
        run_to(place, place.clock.nanos / 1e9 + 0.0005)
    answer(place, 93, 0xC3)
    run_to(place, place.clock.nanos / 1e9 + 0.008)
    assert asked[1].ack_ms < 7
