"""A sink that delivers in batches: in order, all of it, again after a fault, and never past one."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from fluksometer.domain.points import Point
from fluksometer.errors import StateFault
from fluksometer.outbox import Numbered, Outbox
from fluksometer.sinks import BatchSink, Seat, SinkChanged, Undelivered


def points(first: int, count: int) -> list[Point]:
    return [Point("a" * 32, 0, "counter", 1_700_000_000 + n, n * 1000, "Wh") for n in range(first, first + count)]


class Other:
    """The other end: takes batches, or refuses them."""

    def __init__(self) -> None:
        self.got: list[Numbered] = []
        self.batches: list[int] = []
        self.refuse: Exception | None = None
        self.asked = threading.Event()

    def deliver(self, batch: Sequence[Numbered]) -> None:
        self.asked.set()
        if self.refuse:
            raise self.refuse
        self.batches.append(len(batch))
        self.got += batch


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def other() -> Other:
    return Other()


def test_all_points_come_in_order_and_in_batches_of_bounded_size(other) -> None:
    outbox, told = Outbox(), []
    outbox.append(points(0, 25))
    sink = BatchSink("other", other.deliver, Seat(outbox, 0, told.append), most=10)
    sink.start()
    until(lambda: sink.cursor == 25)
    outbox.append(points(25, 5))
    sink.wake()
    until(lambda: sink.cursor == 30)
    sink.stop()
    assert [number for number, _ in other.got] == list(range(1, 31))
    assert other.batches == [10, 10, 5, 5] and sink.published == 30 and told == []


def test_after_an_outage_everything_is_delivered_once_and_the_outage_is_told_once(other) -> None:
    outbox, told = Outbox(), []
    other.refuse = Undelivered("nobody listens there")
    sink = BatchSink("other", other.deliver, Seat(outbox, 0, told.append))
    outbox.append(points(0, 3))
    sink.start()
    sink.wake()
    until(lambda: bool(told))
    assert sink.down == "nobody listens there" and sink.cursor == 0
    other.asked.clear()
    assert other.asked.wait(5)  # it tries again by itself
    other.refuse = None
    until(lambda: sink.cursor == 3)
    until(lambda: len(told) == 2)
    sink.stop()
    assert [number for number, _ in other.got] == [1, 2, 3]
    assert told == [SinkChanged("other", "nobody listens there"), SinkChanged("other", "")]


def test_a_ledger_that_cannot_be_read_is_an_outage_too(other) -> None:
    def unreadable(_after_id: int, _limit: int) -> list[Numbered]:
        raise StateFault("the ledger can't be read")

    told: list[SinkChanged] = []
    sink = BatchSink("other", other.deliver, Seat(Outbox(last_id=9, read_ledger=unreadable), 0, told.append))
    sink.start()
    until(lambda: told == [SinkChanged("other", "the ledger can't be read")])
    sink.stop()
    assert sink.cursor == 0 and not other.got


def test_what_is_there_is_delivered_before_it_ends(other) -> None:
    outbox = Outbox()
    sink = BatchSink("other", other.deliver, Seat(outbox, 0, print), every_s=3600)
    outbox.append(points(0, 1))
    sink.start()
    sink.wake()
    until(lambda: sink.cursor == 1)
    outbox.append(points(1, 2))
    sink.wake()
    time.sleep(0.05)
    assert sink.cursor == 1  # not before the time is over
    sink.stop()
    assert sink.cursor == 3


def test_what_the_other_end_may_still_lose_is_delivered_again_behind_an_outage(other) -> None:
    outbox = Outbox()
    outbox.append(points(0, 3))
    sink = BatchSink("other", other.deliver, Seat(outbox, 0, lambda _news: None), settle_s=0.5)
    sink.start()
    until(lambda: len(other.got) == 3)
    other.refuse = Undelivered("gone")
    outbox.append(points(3, 1))
    sink.wake()
    until(lambda: sink.down is not None)
    assert sink.cursor == 0
    other.refuse = None
    until(lambda: sink.cursor == 4)
    sink.stop()
    assert [number for number, _ in other.got] == [1, 2, 3, 1, 2, 3, 4]
