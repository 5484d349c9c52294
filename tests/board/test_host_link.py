import asyncio

from fakes import Console, Ticks

from meter.host_link import HostLink
from shared.deframer import Deframer
from shared.frame import seal, to_board


class _Rig:
    def __init__(self):
        self.console = Console()
        self.ticks = Ticks()
        self.input = []
        self.link = HostLink(
            self.console.write, self.console.writable, self.wait_input, self.ticks.ticks, self.ticks.diff
        )

    async def wait_input(self):
        while not self.input:
            await asyncio.sleep_ms(1)
        return self.input.pop(0)

    def run(self, ms=80, handle=None):
        async def both():
            tasks = [asyncio.create_task(self.link.write_forever())]
            if handle:
                tasks.append(asyncio.create_task(self.link.read_forever(handle)))
            await asyncio.sleep_ms(ms)
            for task in tasks:
                task.cancel()

        asyncio.run(both())

    def received(self):
        deframer = Deframer()
        return deframer.push(bytes(self.console.out)), deframer.dropped


def test_records_leave_in_order_and_whole():
    rig = _Rig()
    for index in range(5):
        rig.link.send(2, bytes([index]) * 100)
    rig.run()
    records, dropped = rig.received()
    assert records == [(2, index, 0, bytes([index]) * 100) for index in range(5)] and dropped == 0
    assert max(rig.console.writes) == 116


def test_a_host_that_does_not_read_loses_the_oldest_and_every_loss_is_counted():
    rig = _Rig()
    rig.console.room = 30
    rig.link.send(2, b"the one that is half way out")
    rig.run()
    for index in range(100):
        rig.link.send(3, bytes([index]))
    rig.console.room = 1 << 30
    rig.run()
    records, dropped = rig.received()
    assert dropped == 0 and records[0][3] == b"the one that is half way out"
    assert [record[3][0] for record in records[1:]] == list(range(37, 100))
    assert rig.link.records_dropped == 37
    assert [record[1] for record in records] == [0] + list(range(38, 101))


def test_after_a_blocked_write_it_tries_single_bytes_until_the_host_reads_again():
    rig = _Rig()
    rig.console.room = 10
    rig.link.send(2, bytes(200))
    rig.run()
    rig.console.writes.clear()
    rig.console.room = 1 << 30
    rig.link.send(2, b"next")
    rig.run()
    assert rig.console.writes[:64] == [1] * 64 and rig.console.writes[64] == 128
    assert rig.received()[0] == [(2, 0, 0, bytes(200)), (2, 1, 0, b"next")]


def test_lines_from_the_host_reach_the_handler_whatever_the_pieces():
    rig = _Rig()
    line = to_board(seal(0x81, 0, b"abc"))
    rig.input = [line[:3], line[3:8], line[8:] + b"junk\n" + line]
    seen = []
    rig.run(handle=lambda kind, payload: seen.append((kind, payload)))
    assert seen == [(0x81, b"abc")] * 2 and rig.link.lines_dropped == 1
