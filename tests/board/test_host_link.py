import asyncio
from random import randrange, seed

from fakes import Console, Ticks
from receiver import Receiver

from meter import host_link
from meter.host_link import HostLink
from meter.kept import Kept
from shared.deframer import Deframer
from shared.frame import seal, to_board
from shared.records import ACK, EARLIER, HELLO

PULSE, PASSING = 3, 5


def _kept(index, length=40):
    """A pulse record of port 4 as far as the store looks at it, told apart by its second byte."""
    return ((PULSE, bytes([4, index]) + bytes(length - 2)),)


class _Rig:
    def __init__(self, capacity=16384):
        self.console = Console()
        self.ticks = Ticks()
        self.input = []
        self.kept = Kept(capacity)
        self.link = HostLink(
            self.console.write, self.console.writable, self.wait_input, self.ticks.ticks, self.ticks.diff, self.kept
        )

    async def wait_input(self):
        while not self.input:
            await asyncio.sleep_ms(1)
        return self.input.pop(0)

    def run(self, ms=80, handle=None, meanwhile=None):
        async def both():
            tasks = [asyncio.create_task(self.link.write_forever())]
            if handle:
                tasks.append(asyncio.create_task(self.link.read_forever(handle)))
            if meanwhile:
                await meanwhile()
            await asyncio.sleep_ms(ms)
            for task in tasks:
                task.cancel()

        asyncio.run(both())

    def received(self):
        deframer = Deframer()
        return deframer.push(bytes(self.console.out)), deframer.dropped

    def numbers(self):
        """(number, the one before) of what came since the last call."""
        records = self.received()[0]
        self.console.out = bytearray()
        return [record[1:3] for record in records]


def test_passing_records_leave_in_order_and_whole():
    rig = _Rig()
    for index in range(5):
        rig.link.send(PASSING, bytes([index]) * 100)
    rig.run()
    records, dropped = rig.received()
    assert records == [(PASSING, 0, 0, bytes([index]) * 100) for index in range(5)] and dropped == 0
    assert max(rig.console.writes) == 116


def test_kept_records_are_numbered_and_name_the_one_before():
    rig = _Rig()
    for index in range(3):
        rig.link.keep(_kept(index) + _kept(index))
    rig.run()
    assert [record[1:3] for record in rig.received()[0]] == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]
    assert [record[3][1] for record in rig.received()[0]] == [0, 0, 1, 1, 2, 2]


def test_a_passing_record_names_the_newest_kept_one_and_goes_between_two_of_them():
    rig = _Rig()
    rig.link.keep(_kept(0))
    rig.link.send(PASSING, b"one behind")
    for index in range(3):
        rig.link.keep(_kept(index))
    rig.link.send(PASSING, b"four behind")
    rig.run()
    assert rig.numbers() == [(0, 1), (1, 0), (0, 4), (2, 1), (3, 2), (4, 3)]


def test_hellos_go_before_all_others_and_in_their_order():
    rig = _Rig()
    for index in range(3):
        rig.link.keep(_kept(index))
        rig.link.send(PASSING, b"passing")
    rig.link.send_hello(lambda: b"former")
    rig.link.send_hello(lambda: b"latter")
    rig.run()
    assert [record[3] for record in rig.received()[0]][:2] == [b"former", b"latter"]
    assert len(rig.received()[0]) == 8


def test_a_hello_that_had_to_wait_tells_of_the_moment_at_which_it_leaves():
    rig, made = _Rig(), []
    rig.console.room = 0
    rig.link.send_hello(lambda: b"hello %d %d" % (rig.ticks.now, made.append(0) or 0))
    rig.link.keep(_kept(0))

    async def an_hour():
        await asyncio.sleep_ms(30)
        rig.link.keep(_kept(1))
        rig.ticks.now = 3600
        rig.console.room = 1 << 30

    rig.run(meanwhile=an_hour)
    records = rig.received()[0]
    assert records[0] == (HELLO.kind, 0, 2, b"hello 3600 0") and made == [0]
    assert [record[1] for record in records] == [0, 1, 2]


def test_what_an_earlier_boot_has_left_comes_first():
    rig = _Rig()
    rig.link.keep_first([b"one", b"two"])
    rig.link.keep(_kept(0))
    rig.run()
    records = rig.received()[0]
    assert [(record[0], record[1]) for record in records] == [(EARLIER.kind, 1), (EARLIER.kind, 2), (PULSE, 3)]


def test_a_host_that_does_not_read_loses_the_oldest_passing_ones_and_every_loss_is_counted():
    rig = _Rig()
    rig.console.room = 30
    rig.link.send(PASSING, b"the one that is half way out")
    rig.run()
    for index in range(100):
        rig.link.send(PASSING, bytes([index]))
        rig.link.keep(_kept(index))
    rig.link.send_hello(lambda: b"hello")
    rig.console.room = 1 << 30
    rig.run()
    records, dropped = rig.received()
    assert dropped == 0 and records[0][3] == b"the one that is half way out" and records[1][3] == b"hello"
    passing = [record[3][0] for record in records if record[0] == PASSING]
    assert passing[1:] == list(range(69, 100)) and rig.link.records_dropped == 69
    assert [record[3][1] for record in records if record[0] == PULSE] == list(range(100))


def test_after_a_blocked_write_it_tries_single_bytes_until_the_host_reads_again():
    rig = _Rig()
    rig.console.room = 10
    rig.link.send(PASSING, bytes(200))
    rig.run()
    rig.console.writes.clear()
    rig.console.room = 1 << 30
    rig.link.send(PASSING, b"next")
    rig.run()
    assert rig.console.writes[:64] == [1] * 64 and rig.console.writes[64] == 128
    assert [record[3] for record in rig.received()[0]] == [bytes(200), b"next"]


def test_a_resume_goes_on_behind_the_number_and_forgets_nothing():
    rig = _Rig()
    for index in range(4):
        rig.link.keep(_kept(index))
    rig.run()
    rig.numbers()
    rig.link.acknowledge(3, resume=1)
    rig.run()
    assert rig.numbers() == [(4, 3)]
    rig.link.acknowledge(0, resume=1)
    rig.run()
    assert rig.numbers() == [(1, 0), (2, 1), (3, 2), (4, 3)]
    rig.link.acknowledge(3, resume=0)
    rig.link.acknowledge(1, resume=1)  # an old backup: what lies between is gone
    rig.run()
    assert rig.numbers() == [(4, 1)]
    rig.link.acknowledge(99, resume=1)
    rig.link.keep(_kept(4))
    rig.run()
    assert rig.numbers() == [(5, 4)]


def _out_of_memory(times, work):
    """Runs work() while the first frames find no memory."""
    to_host, left = host_link.to_host, [times]

    def failing(data):
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return to_host(data)

    host_link.to_host = failing
    try:
        work()
    finally:
        host_link.to_host = to_host


def test_a_kept_record_for_which_memory_lacks_goes_out_later_and_none_is_passed_over():
    rig = _Rig()
    for index in range(3):
        rig.link.keep(_kept(index))
    _out_of_memory(2, lambda: rig.run(200))
    assert rig.numbers() == [(1, 0), (2, 1), (3, 2)] and rig.link.records_dropped == 0


def test_a_passing_record_for_which_memory_lacks_is_dropped_and_counted():
    rig = _Rig()

    def send():
        rig.link.send(PASSING, b"lost")
        rig.link.send(PASSING, b"whole")

    _out_of_memory(1, send)
    rig.run()
    assert [record[3] for record in rig.received()[0]] == [b"whole"] and rig.link.records_dropped == 1


def test_lines_from_the_host_reach_the_handler_whatever_the_pieces():
    rig = _Rig()
    line = to_board(seal(0x81, 0, b"abc"))
    rig.input = [line[:3], line[3:8], line[8:] + b"junk\n" + line]
    seen = []
    rig.run(handle=lambda kind, payload: seen.append((kind, payload)))
    assert seen == [(0x81, b"abc")] * 2 and rig.link.lines_dropped == 1


def _damaged(data):
    """Some bytes turned, some missing."""
    out = bytearray()
    for byte in data:
        luck = randrange(600)
        if luck:
            out.append(byte ^ 1 << randrange(8) if luck == 1 else byte)
    return bytes(out)


def test_over_a_line_that_loses_and_turns_bytes_everything_comes_once_and_in_order():
    seed(5)
    rig = _Rig(capacity=65536)  # room for all: nothing is put together
    host = Receiver()
    asked = set()

    def from_host(kind, payload):
        boot_id, seq, resume = ACK.unpack(payload)
        asked.add(resume)
        rig.link.acknowledge(seq, resume)

    def to_link(seq, resume):
        if (
            len(rig.input) < 20
        ):  # the board reads once a millisecond of the wall clock, however fast the rounds are here
            rig.input.append(_damaged(to_board(seal(ACK.kind, 0, ACK.pack(1, seq, resume)))))

    async def line():
        for index in range(400000):  # it ends when all is there; a busy machine needs more rounds
            if index < 500 and not index % 2:
                rig.link.keep(_kept(index // 2) if index % 3 else _kept(index // 2) + _kept(index // 2, 300))
            if not index % 40:
                rig.link.send(PASSING, b"health")
            data, rig.console.out = bytes(rig.console.out), bytearray()
            rig.console.writes.clear()
            if host.hear(_damaged(data)) or (host.last < rig.kept.newest and not index % 30):
                to_link(host.last, 1)
            elif not index % 10:
                to_link(host.last, 0)
            await asyncio.sleep_ms(0)
            if index > 500 and not rig.kept.waiting:
                return

    rig.run(ms=1, handle=from_host, meanwhile=line)
    kept = rig.kept
    figures = (len(host.taken), host.last, host.refused, host.doubled, host.damaged, kept.newest, kept.bytes)
    wanted = []
    for index in range(250):
        wanted += [index] if (2 * index) % 3 else [index, index]
    assert [payload[1] for _seq, _kind, payload in host.taken] == wanted and not kept.waiting, figures
    assert host.refused and host.doubled and host.damaged and 1 in asked and kept.merged == kept.dropped == 0
