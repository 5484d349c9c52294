"""The ledger in normal running: what is committed comes back, ids rise for ever, sinks get all, the file stays small."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from host.ledgers import LIMIT_BYTES, START_S, check_points, commit_second, number_of, open_ledger, points_of
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.link_events import Position
from fluksometer.domain.points import Point
from fluksometer.storage.ledger import Ledger, LedgerFault, read_states
from fluksometer.storage.ledger.blocks import Channel, DamagedBlock, channel_of, count_points, pack, unpack

SID = "0123456789abcdef0123456789abcdef"
POINTS = st.builds(
    Point,
    sensor_id=st.sampled_from([SID, "f" * 32]),
    series=st.integers(0, 3),
    kind=st.sampled_from(["gauge", "counter"]),
    time_s=st.integers(-(2**40), 2**40),
    milli=st.integers(-(2**70), 2**70),
    unit=st.sampled_from(["", "Wh", "°C"]),
    retain=st.booleans(),
)


def test_a_new_ledger_is_empty(tmp_path):
    ledger = open_ledger(tmp_path / "made" / "too")
    assert (ledger.position, ledger.states, ledger.cursors, ledger.last_id) == (None, {}, {}, 0)
    assert (ledger.read(0, 10), ledger.trim(), ledger.take_reports()) == ([], {}, [])
    ledger.close()


def test_all_comes_back_after_a_restart(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(cursors={"mqtt": 0})
    for number in range(1, 30):
        commit_second(ledger, number)
    ledger.commit(cursors={"mqtt": 9})
    ledger.close()
    ledger = open_ledger(tmp_path)
    assert (number_of(ledger), ledger.cursors) == (29, {"mqtt": 9})
    check_points(ledger, 3, 29)
    assert ledger.read(9, 2) == [(10, points_of(2)[3]), (11, points_of(2)[4])]
    assert ledger.take_reports() == []


def test_what_is_not_given_stays_and_none_takes_a_state_away(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(Position(1, 2, 3), {"a": [1, None, "x"], "b": {"c": 2.5}}, cursors={"one": 0, "two": 0})
    ledger.commit(states={"b": None}, cursors={"two": 4})
    for again in (ledger, None):
        if again is None:
            ledger.close()
            again = open_ledger(tmp_path)
        assert (again.position, again.states) == (Position(1, 2, 3), {"a": [1, None, "x"]})
        assert again.cursors == {"one": 0, "two": 4}


def test_what_is_handed_out_is_a_copy(tmp_path):
    ledger = open_ledger(tmp_path)
    given_states = {"a": {"total": 1}}
    ledger.commit(states=given_states, cursors={"mqtt": 1})
    given_states["a"]["total"] = 2
    ledger.states["a"]["total"] = 3
    ledger.cursors["mqtt"] = 9
    assert (ledger.states, ledger.cursors) == ({"a": {"total": 1}}, {"mqtt": 1})


def test_a_state_that_is_no_json_leaves_all_as_it_was(tmp_path):
    ledger = open_ledger(tmp_path)
    commit_second(ledger, 1)
    with pytest.raises(ValueError, match="JSON"):
        ledger.commit(states={"clock": {"second": float("nan")}}, points=points_of(2))
    assert number_of(ledger) == 1
    commit_second(ledger, 2)
    assert number_of(ledger) == 2


def test_ids_rise_over_trimming_and_restarts(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(cursors={"mqtt": 0})
    for number in range(1, 6):
        commit_second(ledger, number, {"mqtt": ledger.last_id})
        ledger.commit(cursors={"mqtt": ledger.last_id})
        assert ledger.read(0, 10) == []
        ledger.close()
        ledger = open_ledger(tmp_path)
        assert ledger.last_id == 6 * number
    commit_second(ledger, 6)
    assert [one for one, _ in ledger.read(0, 10)] == [31, 32, 33, 34, 35, 36]


def test_points_wait_for_the_slowest_sink_until_it_is_forgotten(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(cursors={"mqtt": 0, "server": 0})
    for number in range(1, 11):
        commit_second(ledger, number, {"mqtt": ledger.last_id})
    assert len(ledger.read(0, 100)) == 60
    ledger.forget_sink("server")
    ledger.forget_sink("server")
    commit_second(ledger, 11, {"mqtt": 60})
    assert [one for one, _ in ledger.read(0, 100)] == [61, 62, 63, 64, 65, 66]
    ledger.close()
    assert open_ledger(tmp_path).cursors == {"mqtt": 60}


def test_beyond_the_limit_the_oldest_go_and_each_sink_is_told(tmp_path):
    limit_bytes = 1 << 20
    ledger = open_ledger(tmp_path, limit_bytes)
    ledger.commit(cursors={"here": 0, "away": 0, "late": 0})
    told: dict[str, int] = {}
    for number in range(1, 301):
        points = points_of(number, 600)
        ledger.commit(points=points, cursors={"here": ledger.last_id + 600, "late": max(0, ledger.last_id - 600)})
        for sink, count in ledger.trim().items():
            told[sink] = told.get(sink, 0) + count
        assert sum(one.stat().st_size for one in tmp_path.iterdir()) < limit_bytes + (64 << 10)
    first = ledger.read(0, 1)[0][0]
    assert told == {"away": first - 1}
    assert 600 < first < ledger.last_id - 20_000
    assert len(ledger.read(0, 10**6)) == ledger.last_id - first + 1
    ledger.commit(cursors={"away": 10})
    assert ledger.trim() == {}


def test_states_can_be_read_while_the_bridge_runs(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(states={"a": {"b": [1, 2]}})
    assert read_states(tmp_path / "ledger") == {"a": {"b": [1, 2]}}


def test_a_second_bridge_is_refused_until_the_first_is_gone(tmp_path):
    ledger = open_ledger(tmp_path)
    program = (
        "import sys, pathlib\nfrom fluksometer.storage.ledger import Ledger, LedgerFault\n"
        "try: Ledger.open(pathlib.Path(sys.argv[1]), limit_bytes=1 << 20)\n"
        "except LedgerFault as fault: print(fault.condition, fault)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "ledger")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.startswith("locked") and "stop the other bridge" in told and "process" in told
    with pytest.raises(LedgerFault, match="stop the other bridge"):
        open_ledger(tmp_path)
    ledger.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_reading_does_not_wait_for_a_commit_nor_tear_it(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.commit(cursors={"mqtt": 0})
    done = threading.Event()
    failures: list[Exception] = []

    def drain() -> None:
        at = 0
        try:
            while not done.is_set() or at < ledger.last_id:
                found = ledger.read(at, 50)
                assert [one for one, _ in found] == list(range(at + 1, at + 1 + len(found)))
                assert [point for _, point in found] == [points_of((one + 5) // 6)[(one - 1) % 6] for one, _ in found]
                at += len(found)
        except Exception as error:
            failures.append(error)

    reader = threading.Thread(target=drain)
    reader.start()
    for number in range(1, 301):
        commit_second(ledger, number)
    done.set()
    reader.join(20)
    assert not reader.is_alive() and failures == []


def test_a_limit_must_leave_room(tmp_path):
    with pytest.raises(ValueError, match="limit_bytes"):
        open_ledger(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


def test_a_person_can_look_into_it_meanwhile(tmp_path):
    ledger = open_ledger(tmp_path)
    commit_second(ledger, 1)
    person = sqlite3.connect(tmp_path / "ledger")
    assert person.execute("SELECT json FROM state WHERE name = 'clock'").fetchall() == [('{"second":1}',)]
    person.execute("BEGIN")
    person.execute("SELECT * FROM head").fetchall()
    for number in range(2, 12):
        commit_second(ledger, number)
    person.close()
    assert number_of(ledger) == 11


@given(st.lists(POINTS, max_size=20), st.integers(1, 2**63 - 1))
def test_any_points_survive_packing(points, last_id):
    numbers: dict[Channel, int] = {}
    for point in points:
        numbers.setdefault(channel_of(point), 100 * (len(numbers) + 1))
    block = pack(last_id, points, numbers.__getitem__)
    channels = {number: channel for channel, number in numbers.items()}
    assert (unpack(last_id, block, channels), count_points(block)) == (points, len(points))
    with pytest.raises(DamagedBlock):
        unpack(last_id - 1, block, channels)


def test_a_point_takes_few_bytes():
    numbers: dict[Channel, int] = {}
    points = points_of(5_000_000)
    block = pack(2**40, points, lambda one: numbers.setdefault(one, len(numbers) + 1))
    assert len(block) <= 10 * len(points)


@pytest.mark.parametrize("at", range(8))
def test_a_flipped_bit_in_a_block_is_found(at):
    points = points_of(1)
    numbers = {channel_of(point): number for number, point in enumerate(points)}
    block = bytearray(pack(6, points, numbers.__getitem__))
    block[at * len(block) // 8] ^= 1 << at
    with pytest.raises(DamagedBlock):
        unpack(6, bytes(block), {number: channel for channel, number in numbers.items()})


@pytest.mark.parametrize(
    ("kind", "milli", "unit", "retain", "payload"),
    [
        ("gauge", 2_298_000, "W", True, '[1763800000,2298,"W"]'),
        ("gauge", -21_340, "°C", True, '[1763800000,-21.34,"°C"]'),
        ("counter", 5_000_500, "Wh", False, '[1763800000,5000.5,"Wh"]'),
    ],
)
def test_the_message_of_a_point(kind, milli, unit, retain, payload):
    point = Point(SID, 4, kind, START_S, milli, unit, retain)
    assert (point.topic, point.payload, point.retain) == (f"/sensor/{SID}/{kind}", payload, retain)


def test_opening_twice_in_turn_uses_no_more_handles(tmp_path):
    def handles() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = handles()
    for _ in range(3):
        ledger = Ledger.open(tmp_path / "ledger", limit_bytes=LIMIT_BYTES)
        commit_second(ledger, 1)
        ledger.read(0, 1)
        ledger.close()
    assert handles() == before
