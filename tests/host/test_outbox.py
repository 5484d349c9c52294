"""The queue of readings: ids, what memory holds, and where older ones come from."""

import threading

import pytest
from host.making import make_point

from fluksometer.outbox import Outbox


class Ledger:
    """What was committed, as part of a list; ids from 1."""

    def __init__(self, points=()):
        self.points, self.asked, self.first_id = list(points), [], 1

    def read(self, after_id, limit):
        self.asked.append(after_id)
        start = max(after_id, self.first_id - 1)
        return list(enumerate(self.points[start : start + limit], start + 1))


def points(first, last):
    return [make_point(milli=number) for number in range(first, last + 1)]


def millis(found):
    assert all(number == point.milli for number, point in found)
    return [number for number, _ in found]


def test_ids_go_on_where_the_ledger_ends():
    outbox = Outbox(last_id=41)
    assert outbox.append(points(42, 44)) == 44
    assert outbox.append([]) == 44
    assert outbox.last_id == 44
    assert millis(outbox.read(42, 10)) == [43, 44]
    assert outbox.read(44, 10) == []


def test_what_is_not_committed_is_told_in_order():
    outbox = Outbox(last_id=10)
    outbox.append(points(11, 13))
    assert outbox.uncommitted() == points(11, 13)
    outbox.committed(12)
    assert outbox.uncommitted() == points(13, 13)
    outbox.append(points(14, 14))
    assert outbox.uncommitted() == points(13, 14)
    outbox.committed(14)
    assert outbox.uncommitted() == []


def test_the_ledger_is_asked_only_for_what_memory_does_not_have():
    ledger = Ledger(points(1, 10))
    outbox = Outbox(last_id=10, read_ledger=ledger.read)
    outbox.append(points(11, 20))
    assert millis(outbox.read(10, 5)) == [11, 12, 13, 14, 15]
    assert not ledger.asked
    assert millis(outbox.read(7, 100)) == [8, 9, 10]
    assert millis(outbox.read(10, 100)) == list(range(11, 21))
    assert ledger.asked == [7]


def test_memory_keeps_what_is_not_committed_and_the_newest_besides():
    ledger = Ledger()
    outbox = Outbox(read_ledger=ledger.read, keep=100)
    outbox.append(points(1, 1000))
    assert millis(outbox.read(0, 2000)) == list(range(1, 1001))
    ledger.points = points(1, 600)
    outbox.committed(600)
    assert millis(outbox.read(600, 2000)) == list(range(601, 1001))
    assert not ledger.asked
    assert millis(outbox.read(599, 2000)) == [600]
    ledger.points = points(1, 1000)
    outbox.committed(1000)
    assert millis(outbox.read(900, 2000)) == list(range(901, 1001))
    assert ledger.asked == [599]
    assert millis(outbox.read(880, 5)) == [881, 882, 883, 884, 885]
    assert ledger.asked == [599, 880]


def test_what_the_ledger_has_given_up_is_passed_over():
    ledger = Ledger(points(1, 10))
    ledger.first_id = 11
    outbox = Outbox(last_id=10, read_ledger=ledger.read)
    outbox.append(points(11, 12))
    assert millis(outbox.read(3, 10)) == [11, 12]


def test_nothing_is_passed_over_when_memory_lets_go_while_the_ledger_is_asked():
    """The ledger answers that it has nothing; before memory is asked it has committed, and memory has let go."""
    ledger = Ledger(points(1, 10))
    ledger.first_id = 11
    outbox = Outbox(last_id=10, read_ledger=lambda *asked: read(*asked), keep=0)

    def read(after_id, limit):
        found = ledger.read(after_id, limit)
        if len(ledger.points) == 10:
            ledger.points += points(11, 20)
            outbox.committed(20)
        return found

    outbox.append(points(11, 20))
    assert millis(outbox.read(3, 100)) == list(range(11, 21))


def test_the_latest_of_each_topic():
    outbox = Outbox(last_id=5)
    gauge, counter = make_point(), make_point(kind="counter")
    later, other = make_point(time_s=2), make_point(sensor_id="ab" * 16)
    outbox.append([gauge, counter, later, other])
    assert outbox.latest() == [(8, later), (7, counter), (9, other)]


@pytest.mark.parametrize("keep", [0, 50])
def test_a_reader_in_another_thread_gets_every_point_once(keep):
    ledger, heard = Ledger(), []
    outbox = Outbox(read_ledger=ledger.read, keep=keep)

    def follow():
        while len(heard) < 20_000:
            heard.extend(millis(outbox.read(len(heard), 77)))

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    for first in range(1, 20_000, 100):
        new = points(first, first + 99)
        last_id = outbox.append(new)
        if first % 300 == 1:
            ledger.points += outbox.uncommitted()
            outbox.committed(last_id)
    reader.join(20)
    assert heard == list(range(1, 20_001))
