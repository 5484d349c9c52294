import gc
import os

import telegram
from fakes import Ticks

from meter.clock import BoardClock
from meter.p1_port import P1Port, PackedBody
from shared.p1 import NONE, OK, Frame, Parser
from shared.p1_wire import decode, encode
from shared.terminal_records import P1_CRC_OK, P1_FRAME, P1_NO_CRC, P1_PIECE_BYTES, P1_STATUS, P1_TELEGRAM

_VECTORS = __file__.rsplit("/", 2)[0] + "/vectors/p1/"


def _vector(name):
    with open(_VECTORS + name, "rb") as file:
        return file.read()


class _Settings:
    def __init__(self, p1):
        self.p1 = p1


class _Rig:
    """A receiver that has what is put into `waiting`, and a clock that goes on with each look."""

    def __init__(self):
        self.ticks = Ticks()
        self.waiting = b""
        self.asked = []
        self.line = []
        self.level = 0
        self.sent = []
        clock = BoardClock(self.ticks.ticks, self.ticks.diff)
        self.port = P1Port(
            self,
            lambda baud, inverted: self.line.append((baud, inverted)),
            lambda: self.level,
            self.asked.append,
            clock,
            lambda: self.ticks.now // 1000,
            lambda later, earlier: later - earlier,
        )
        self.entries = 0  # what was kept together
        self.port.apply(_Settings(1))

    def any(self):
        return len(self.waiting)

    def read(self, count):
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data or None

    def send(self, layout, *values):
        self.sent.append((layout.kind, layout.unpack(layout.pack(*values))))

    def keep(self, records):
        self.entries += 1
        self.sent += [(kind, P1_TELEGRAM.unpack(payload)) for kind, payload in records]

    def hear(self, data, quiet_ms=600):
        for at in range(0, len(data), 690):
            self.waiting = data[at : at + 690]
            self.poll()
        self.pass_ms(quiet_ms)

    def poll(self):
        self.ticks.now += 60000
        self.port.poll(self.keep)

    def pass_ms(self, time_ms):
        for _ in range(time_ms // 60 + 1):
            self.poll()

    def telegrams(self):
        """(form, left_out, bytes) of each whole one."""
        done, data = [], b""
        for kind, (_t_us, _number, piece, pieces, form, left_out, part) in self.sent:
            if kind == P1_TELEGRAM.kind:
                assert len(part) == P1_PIECE_BYTES or piece == pieces - 1
                data += part
                if piece == pieces - 1:
                    done.append((form, left_out, data))
                    data = b""
        return done

    def status(self):
        self.port.report(self.send)
        kind, values = self.sent.pop()
        assert kind == P1_STATUS.kind
        return dict(zip([field[0] for field in P1_STATUS.fields], values))


def test_every_vector_goes_out_as_the_reference_reads_it():
    count = 0
    for name in sorted(os.listdir(_VECTORS)):
        if not name.endswith(".txt"):
            continue
        data = _vector(name)
        reference = Parser(160, 96)
        wanted = reference.push(data) + reference.pause()
        rig = _Rig()
        rig.hear(data)
        got = rig.telegrams()
        assert [(form, left) for form, left, _ in got] == [
            (P1_CRC_OK if one.crc == OK else P1_NO_CRC, one.left_out) for one in wanted
        ], name
        assert [part for _, _, part in got] == [encode(one) for one in wanted], name
        for form, left_out, part in got:
            decode(part, OK if form == P1_CRC_OK else NONE, left_out)
        assert rig.status()["telegrams"] == len(wanted) and rig.status()["bytes_in"] == len(data)
        count += len(got)
    assert count > 25


def test_a_frame_goes_out_as_it_came():
    rig, data = _Rig(), _vector("luxembourg.bin")
    rig.hear(data)
    assert rig.telegrams() == [(P1_FRAME, 0, data)] and (len(rig.sent), rig.entries) == (2, 1)
    assert isinstance(Parser().push(rig.telegrams()[0][2])[0], Frame)


def test_it_asks_while_it_is_wanted():
    rig = _Rig()
    rig.port.apply(_Settings(0))
    rig.port.apply(_Settings(1))
    assert rig.asked == [1, 0, 1]


def _even(data):
    return bytes([byte | (0 if bin(byte).count("1") % 2 == 0 else 0x80) for byte in data])


def test_a_byte_of_wrong_parity_costs_the_telegram():
    rig, good = _Rig(), _even(_vector("dsmr2.txt"))
    bad = bytearray(good)
    bad[good.index(b"0") + 9] ^= 0x80
    rig.hear(good)
    rig.hear(bytes(bad))
    status = rig.status()
    assert (status["telegrams"], status["bad_form"], status["bad_bytes"], status["even_parity"]) == (1, 1, 1, 1)


def test_damage_is_counted_by_name():
    rig, data = _Rig(), _vector("dsmr5.txt")
    rig.hear(data)
    rig.hear(data.replace(b"004512.338", b"004512.339"))
    rig.hear(data[:400])
    rig.hear(data)
    status = rig.status()
    assert (status["telegrams"], status["bad_crc"], status["cut"], status["bad_form"]) == (2, 1, 1, 0)
    assert status["baud"] == 115200


def test_a_line_without_good_telegrams_is_looked_for_anew():
    rig = _Rig()
    rig.hear(_vector("dsmr5.txt"))
    changes = len(rig.line)
    rig.pass_ms(24000)
    assert rig.status()["baud"] == 115200 and len(rig.line) == changes
    rig.pass_ms(2000)
    assert rig.status()["baud"] == 0
    rig.level = 1
    rig.pass_ms(3000)
    assert rig.line[-1] == (115200, False) and rig.status()["inverted"] == 0
    rig.hear(_vector("dsmr5.txt"))
    assert rig.status()["baud"] == 115200 and rig.status()["telegrams"] == 2


def test_the_packed_body_refuses_what_is_not_begun():
    body = PackedBody()
    body.line(b"1-0:1.8.0(5*kWh)\r\n")
    assert body.registers() == b"\n1-0:1.8.0\t5000\tkWh\n"
    for call in (
        lambda: telegram.begin(bytearray(3), 1, 1, b""),
        lambda: telegram.read(bytearray(b"\xff" * telegram.STATE_BYTES), b"x\n", 0, bytearray(8)),
        lambda: telegram.read(bytearray(telegram.STATE_BYTES), b"x\n", 3, bytearray(8)),
        lambda: telegram.crc16(-1, b""),
        lambda: telegram.begin(bytearray(telegram.STATE_BYTES), -1, 1, b""),
        lambda: telegram.skip(bytearray(telegram.STATE_BYTES), b"", 2),
    ):
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("taken")


def test_any_noise_is_survived_with_bounded_memory():
    rig, state = _Rig(), 12345
    data = _vector("emucs-13-peaks.txt")
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(150):
        noise = bytearray(300)
        for at in range(300):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            noise[at] = state >> 16 & 0xFF
        rig.hear(bytes(noise) + data[: state % 1300], 60)
        rig.sent.clear()
        rig.line.clear()
    rig.pass_ms(30000)
    rig.line.clear()
    gc.collect()
    assert gc.mem_alloc() - before < 12000
    rig.hear(data)
    rig.hear(data)
    assert rig.telegrams()
