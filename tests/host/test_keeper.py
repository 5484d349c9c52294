"""What is published, and when: present values at once, totals only when they are stored."""

import asyncio
import contextlib
import threading

from host.ledgers import open_ledger
from host.making import make_point

from fluksometer.keeper import Keeper
from fluksometer.storage.ledger import LedgerFault


def new_keeper(ledger):
    return Keeper(
        ledger, state=dict, cursors=lambda: {"mqtt": 0}, saved=lambda: None, wake=lambda: None, stored=lambda _: None
    )


def visible(keeper):
    return [point.milli for _, point in keeper.outbox.read(0, 100)]


def total(milli):
    return make_point(kind="counter", milli=milli)


def present(milli):
    return make_point(kind="gauge", milli=milli)


def test_a_total_is_published_when_it_is_stored(tmp_path):
    ledger = open_ledger(tmp_path)
    keeper = new_keeper(ledger)
    keeper.publish([present(1), total(2), present(3)])
    assert visible(keeper) == [1, 3]
    asyncio.run(keeper.commit())
    assert visible(keeper) == [1, 3, 2]
    assert keeper.outbox.read(0, 100) == ledger.read(0, 100)  # under the same ids
    assert keeper.outbox.last_id == ledger.last_id == 3


def test_what_comes_while_the_ledger_is_written_keeps_ids_in_step(tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path)
    keeper = new_keeper(ledger)
    commit = ledger.commit

    def slow(*what):
        keeper.publish([present(10), total(11)])
        commit(*what)

    keeper.publish([total(1), present(2)])
    monkeypatch.setattr(ledger, "commit", slow)
    asyncio.run(keeper.commit())
    assert visible(keeper) == [2, 1, 10]
    monkeypatch.setattr(ledger, "commit", commit)
    asyncio.run(keeper.commit())
    assert visible(keeper) == [2, 1, 10, 11] and keeper.outbox.read(0, 100) == ledger.read(0, 100)


def test_while_the_disk_is_full_present_values_go_on_and_totals_wait(tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path)
    keeper = new_keeper(ledger)

    def full(*_what):
        raise LedgerFault("full", tmp_path)

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "commit", full)
        for milli in range(3):
            keeper.publish([present(milli), total(100 + milli)])
            asyncio.run(keeper.commit())
    assert keeper.fault.condition == "full" and visible(keeper) == [0, 1, 2]
    asyncio.run(keeper.commit())
    assert keeper.fault is None and visible(keeper) == [0, 1, 2, 100, 101, 102]
    assert keeper.outbox.read(0, 100) == ledger.read(0, 100)


def test_a_fault_behind_the_commit_does_not_make_it_undone(tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path)
    keeper = new_keeper(ledger)

    def full(*_what):
        raise LedgerFault("full", tmp_path)

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "read", full)
        keeper.publish([present(1), total(2)])
        asyncio.run(keeper.commit())
        assert keeper.fault.condition == "full"
    keeper.publish([present(3), total(4)])
    asyncio.run(keeper.commit())
    assert visible(keeper) == [1, 2, 3, 4] and keeper.outbox.read(0, 100) == ledger.read(0, 100)


def test_a_stop_in_the_middle_of_a_commit_lets_it_end(tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path)
    keeper = new_keeper(ledger)
    commit, begun, go_on = ledger.commit, threading.Event(), threading.Event()

    def slow(*what):
        begun.set()
        assert go_on.wait(10)
        commit(*what)

    async def work():
        task = asyncio.create_task(keeper.keep())
        keeper.hurry()
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await keeper.commit()  # the last one of the bridge

    keeper.publish([present(1), total(2)])
    monkeypatch.setattr(ledger, "commit", slow)
    asyncio.run(work())
    assert visible(keeper) == [1, 2] and keeper.outbox.read(0, 100) == ledger.read(0, 100)
