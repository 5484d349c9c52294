"""Killed or without power at any instant: what commit() returned for is there, whole, or the one commit after it too."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from host.ledgers import check_points, commit_second, number_of, open_ledger
from places import ROOT

from fluksometer.storage.ledger import Ledger, tables

KILLS = 12
FRAME = tables.PAGE_BYTES + 24


def test_killed_at_random_instants(tmp_path):
    luck = random.Random(11)
    path = os.pathsep.join([str(ROOT / "host"), str(ROOT / "tests")])
    told = 0
    for _ in range(KILLS):
        command = [sys.executable, "-m", "host.ledger_writer", str(tmp_path)]
        writer = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        found = int(writer.stdout.readline())
        assert told <= found <= told + 1
        time.sleep(luck.uniform(0.0, 0.2))
        writer.send_signal(signal.SIGKILL)
        told = max([found, *map(int, writer.stdout.read().split("\n")[:-1])])
        writer.wait(10)
        ledger = open_ledger(tmp_path, 1 << 20)
        assert told <= number_of(ledger) <= told + 1
        assert ledger.take_reports() == []
        told = number_of(ledger)
        first = max(1, ledger.cursors.get("mqtt", 0) // 6 + 1)
        check_points(ledger, first, told)
        ledger.close()
    assert told > KILLS  # it got somewhere, however busy the machine


def image(folder: Path) -> dict[str, bytes]:
    """What is in the files now; not the shared memory, which no power cut leaves behind."""
    return {name: (folder / name).read_bytes() for name in ("ledger", "ledger-wal")}


def reopened(folder: Path, files: dict[str, bytes]) -> Ledger:
    """A ledger on what a power cut left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return open_ledger(folder, 1 << 20)


def torn_log(luck: random.Random, before: bytes, after: bytes) -> bytes:
    """The log while a commit was being written: cut at any byte, or with any of the new sectors still old."""
    start = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(before))
    if luck.random() < 0.5:
        cut = luck.randint(min(start, len(after)), len(after))
        return after[:cut] + before[cut:]
    sectors = bytearray(after)
    for at in range(start - start % 512, len(after), 512):
        if luck.random() < 0.5:
            old = before[at : at + 512]
            sectors[at : at + 512] = old + bytes(min(512, len(after) - at) - len(old))
    return bytes(sectors)


def torn_file(luck: random.Random, before: bytes, after: bytes) -> bytes:
    """The file while the log was being folded in: any of its sectors are still old."""
    sectors = bytearray(after)
    for at in range(0, len(after), 512):
        if luck.random() < 0.5:
            old = before[at : at + 512]
            sectors[at : at + 512] = old + bytes(min(512, len(after) - at) - len(old))
    return bytes(sectors)


@pytest.mark.parametrize("seed", range(4))
def test_power_cut_at_any_byte(seed, tmp_path):
    luck = random.Random(seed)
    ledger = open_ledger(tmp_path / "running", 1 << 20)  # a small limit: the log is folded in every 45 commits or so
    ledger.commit(cursors={"mqtt": 0})
    folded = cuts = 0
    before = image(tmp_path / "running")
    for number in range(1, 161):
        commit_second(ledger, number, {"mqtt": max(0, ledger.last_id - 60)})
        after = image(tmp_path / "running")
        files = None
        if after["ledger"] != before["ledger"]:
            folded += 1
            files = {"ledger": torn_file(luck, before["ledger"], after["ledger"]), "ledger-wal": after["ledger-wal"]}
            least = number
        elif luck.random() < 0.25:
            log = torn_log(luck, before["ledger-wal"], after["ledger-wal"])
            files, least = {"ledger": before["ledger"], "ledger-wal": log}, number - 1
        if files:
            cuts += 1
            left = reopened(tmp_path / "left", files)
            reports = left.take_reports()
            found = number_of(left) if reports == [] else reports
            assert found in (least, number)
            check_points(left, max(1, found - 9), found)
            commit_second(left, found + 1)
            left.close()
        before = after
    assert folded >= 2 and cuts >= 20


def test_all_between_two_commits_is_the_last_one(tmp_path):
    ledger = open_ledger(tmp_path / "running")
    for number in range(1, 60):
        commit_second(ledger, number)
        left = reopened(tmp_path / "left", image(tmp_path / "running"))
        assert (number_of(left), left.take_reports()) == (number, [])
        left.close()
