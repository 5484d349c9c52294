"""Damaged, deleted, full, read-only: a named condition or a rescue that tells what is lost; never a wrong number."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from host.ledgers import check_points, commit_second, number_of, open_ledger
from places import ROOT

from fluksometer.storage.ledger import Ledger, LedgerFault, salvage, tables

PAGE = tables.PAGE_BYTES
SECONDS = 40
IN_NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def can_mount() -> bool:
    """May this process mount a disk that nobody else sees?"""
    try:
        return (
            subprocess.run([*IN_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
        )
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("scenario", ["full", "read_only", "file_limit"])
def test_on_a_disk_of_its_own(scenario, tmp_path):
    alone = [] if scenario == "file_limit" else IN_NAMESPACE
    if alone and not can_mount():
        pytest.skip("this machine does not let a test mount a disk of its own (unshare --mount)")
    path = os.pathsep.join([str(ROOT / "host"), str(ROOT / "tests")])
    command = [*alone, sys.executable, "-m", "host.ledger_disks", scenario, str(tmp_path)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def filled(folder: Path) -> Ledger:
    """A ledger with SECONDS commits whose points nobody has got."""
    ledger = open_ledger(folder)
    ledger.commit(cursors={"mqtt": 0})
    for number in range(1, SECONDS + 1):
        commit_second(ledger, number)
    return ledger


def closed_file(folder: Path) -> Path:
    """The same, closed: everything is in the one file."""
    filled(folder).close()
    assert not (folder / "ledger-wal").exists()
    return folder / "ledger"


def texts(ledger: Ledger) -> str:
    """All reports as one text."""
    return "\n".join(report.text for report in ledger.take_reports())


@pytest.mark.parametrize("gone", [["ledger"], ["ledger-wal"], ["ledger", "ledger-wal", "ledger-shm"]], ids=" ".join)
def test_deleted_while_open(gone, tmp_path):
    ledger = filled(tmp_path)
    for name in gone:
        (tmp_path / name).unlink()
    commit_second(ledger, SECONDS + 1)
    reports = ledger.take_reports()
    assert [report.condition for report in reports][-1] == "missing" and "written anew" in reports[-1].text
    check_points(ledger, 1, SECONDS + 1)
    commit_second(ledger, SECONDS + 2)
    assert ledger.take_reports() == []
    ledger.close()
    ledger = open_ledger(tmp_path)
    assert number_of(ledger) == SECONDS + 2
    check_points(ledger, 1, SECONDS + 2)


def test_its_directory_goes_and_comes_back(tmp_path):
    home, away = tmp_path / "home", tmp_path / "away"
    ledger = filled(home)
    home.rename(away)
    for _ in range(2):
        with pytest.raises(LedgerFault, match="directory is gone") as caught:
            commit_second(ledger, SECONDS + 1)
        assert caught.value.condition == "missing"
    away.rename(home)
    commit_second(ledger, SECONDS + 1)
    shutil.rmtree(home)
    home.mkdir()
    commit_second(ledger, SECONDS + 2)
    assert "written anew" in texts(ledger)
    ledger.close()
    ledger = open_ledger(home)
    assert number_of(ledger) == SECONDS + 2
    check_points(ledger, 1, SECONDS + 2)


def test_replaced_while_open_keeps_both(tmp_path):
    ledger = filled(tmp_path)
    (tmp_path / "other").write_text("somebody's text")
    (tmp_path / "other").rename(tmp_path / "ledger")
    commit_second(ledger, SECONDS + 1)
    assert "damaged-1" in texts(ledger)
    assert (tmp_path / "ledger.damaged-1").read_text() == "somebody's text"
    ledger.close()
    assert number_of(open_ledger(tmp_path)) == SECONDS + 1


def test_deleted_between_two_runs_is_told(tmp_path):
    closed_file(tmp_path).unlink()
    ledger = open_ledger(tmp_path)
    assert ledger.last_id == 0
    assert "was deleted" in texts(ledger)


def check_salvaged(folder: Path, whole: dict[str, object]) -> tuple[bool, str]:
    """Opens a damaged ledger: nothing in it is wrong, and what is not there is told. (Is all there?, the reports)"""
    ledger = open_ledger(folder)
    reports = texts(ledger)
    states, points = ledger.states, dict(ledger.read(0, 10**6))
    assert states.items() <= whole["states"].items() or not states  # type: ignore[attr-defined]
    assert all(whole["states"][name] == value for name, value in states.items())  # type: ignore[index]
    assert points.items() <= whole["points"].items()  # type: ignore[attr-defined]
    assert ledger.position in (whole["position"], None)
    assert ledger.cursors in ({"mqtt": 0}, {})
    reports += texts(ledger)
    complete = (states, points, ledger.position, ledger.cursors) == (*whole.values(), {"mqtt": 0})
    assert complete or "lost" in reports, reports
    commit_second(ledger, SECONDS + 1)
    assert ledger.last_id > SECONDS * 6 or "everything starts anew" in reports
    ledger.close()
    ledger = open_ledger(folder)
    assert ledger.states["clock"] == {"second": SECONDS + 1}
    assert texts(ledger) == ""
    ledger.close()
    return complete, reports


def contents(folder: Path) -> dict[str, object]:
    """What the undamaged file has."""
    ledger = open_ledger(folder)
    found = {"states": ledger.states, "points": dict(ledger.read(0, 10**6)), "position": ledger.position}
    ledger.close()
    return found


@pytest.mark.parametrize("how", ["garbage", "zeros", "half", "bit"])
def test_each_page_damaged_in_turn(how, tmp_path):
    luck = random.Random(how)
    path = closed_file(tmp_path / "whole")
    whole, before = contents(path.parent), path.read_bytes()
    for page in range(len(before) // PAGE):
        damaged = bytearray(before)
        at = page * PAGE
        if how == "bit":
            damaged[at + luck.randrange(PAGE)] ^= 1 << luck.randrange(8)
        else:
            size = PAGE // 2 if how == "half" else PAGE
            damaged[at : at + size] = bytes(size) if how == "zeros" else luck.randbytes(size)
        folder = tmp_path / f"{page}"
        folder.mkdir()
        (folder / "ledger").write_bytes(damaged)
        (folder / "ledger.lock").touch()
        complete, reports = check_salvaged(folder, whole)
        if page == 0 and how != "zeros":
            assert complete, reports  # where the tables begin is known without it


def test_a_truncated_file_and_one_of_garbage(tmp_path):
    path = closed_file(tmp_path / "whole")
    whole, before = contents(path.parent), path.read_bytes()
    luck = random.Random(7)
    for size in (0, 1, 100, PAGE, 3 * PAGE, len(before) - PAGE, len(before) - 1):
        folder = tmp_path / f"{size}"
        folder.mkdir()
        (folder / "ledger").write_bytes(before[:size] if size else luck.randbytes(20_000))
        (folder / "ledger.lock").touch()
        complete, _ = check_salvaged(folder, whole)
        assert not complete
        assert size in (1, len(before) - 1) or (folder / "ledger.damaged-1").exists()


def test_a_changed_digit_in_a_total_is_not_believed(tmp_path):
    path = closed_file(tmp_path)
    data = path.read_bytes()
    assert data.count(b'{"second":40}') == 1
    path.write_bytes(data.replace(b'{"second":40}', b'{"second":41}'))
    ledger = open_ledger(tmp_path)
    assert "clock" not in ledger.states and len(ledger.states) == 7
    assert "'clock'" in texts(ledger)
    check_points(ledger, 1, SECONDS)


def test_a_damaged_block_is_left_out_and_told(tmp_path):
    path = closed_file(tmp_path)
    db = sqlite3.connect(path)
    db.execute("UPDATE outbox SET block = zeroblob(length(block)) WHERE id = 60")
    db.commit()
    db.close()
    ledger = open_ledger(tmp_path)
    assert [one for one, _ in ledger.read(48, 12)] == [49, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 66]
    ledger.read(0, 1000)
    assert texts(ledger).count("unsent readings are lost: block 60") == 1


def test_damaged_under_a_running_bridge(tmp_path):
    ledger = filled(tmp_path)
    luck = random.Random(3)
    with (tmp_path / "ledger").open("r+b") as file:  # all of it, and the log too
        file.write(luck.randbytes(8 * PAGE))
    with (tmp_path / "ledger-wal").open("r+b") as file:
        file.write(luck.randbytes(200_000))
    for number in range(SECONDS + 1, SECONDS + 30):
        commit_second(ledger, number, {"mqtt": ledger.last_id})
    assert number_of(ledger) == SECONDS + 29
    ledger.close()
    ledger = open_ledger(tmp_path)
    if "lost" not in texts(ledger):
        assert number_of(ledger) == SECONDS + 29


@pytest.mark.parametrize("where", [0, 10, 20, 30])
def test_damage_inside_the_log_is_not_taken_for_its_end(where, tmp_path):
    ledger = filled(tmp_path / "running")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("ledger", "ledger-wal"):
        shutil.copyfile(tmp_path / "running" / name, copy / name)
    log = bytearray((copy / "ledger-wal").read_bytes())
    at = 20 if where == 0 else 32 + len(log) * where // 40  # the log's header, or a frame
    log[at] ^= 0xFF
    (copy / "ledger-wal").write_bytes(log)
    damaged = open_ledger(copy)
    report = texts(damaged)
    assert "commits are lost" in report, report
    assert damaged.last_id > ledger.last_id  # none of the ids that were given away comes again
    second = damaged.states.get("clock", {"second": 0})["second"]
    assert second < SECONDS and abs(second - SECONDS * where / 40) < 8
    assert f"last {SECONDS - second} commits" in report or where == 0


def test_only_so_many_damaged_files_are_kept(tmp_path):
    for round_number in range(salvage.KEPT_MOST + 3):
        path = closed_file(tmp_path) if round_number == 0 else tmp_path / "ledger"
        path.write_bytes(f"garbage {round_number}".encode() * 500)
        open_ledger(tmp_path).close()
    kept = sorted(one.name for one in tmp_path.glob("ledger.damaged-*"))
    assert kept == ["ledger.damaged-4", "ledger.damaged-5", "ledger.damaged-6"]
    assert (tmp_path / kept[-1]).read_bytes().startswith(b"garbage 5")


@pytest.mark.parametrize("moved", [False, True])
def test_a_rescue_that_was_cut_off_is_done_again(moved, tmp_path):
    path = closed_file(tmp_path)
    whole = contents(tmp_path)
    data = bytearray(path.read_bytes())
    data[:PAGE] = bytes(PAGE)
    path.write_bytes(data)
    assert salvage.write_fresh(path, None, None) == []
    if moved:
        path.rename(tmp_path / "ledger.damaged-1")
    complete, _ = check_salvaged(tmp_path, whole)
    assert complete
    assert not (tmp_path / "ledger.fresh").exists()


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path):
    path = closed_file(tmp_path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {tables.SCHEMA + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(LedgerFault, match="newer Fluksometer") as caught:
        open_ledger(tmp_path)
    assert caught.value.condition == "newer"
    assert path.read_bytes() == before


def test_another_programs_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (a)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(LedgerFault, match="another program") as caught:
        open_ledger(tmp_path)
    assert caught.value.condition == "foreign"
    assert path.read_bytes() == before


def test_a_persons_open_transaction_is_told_and_outlived(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_WAIT_MS", 100)
    ledger = filled(tmp_path)
    person = sqlite3.connect(tmp_path / "ledger", isolation_level=None)
    person.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerFault, match="end the transaction") as caught:
        commit_second(ledger, SECONDS + 1)
    assert (caught.value.condition, number_of(ledger)) == ("locked", SECONDS)
    person.execute("ROLLBACK")
    commit_second(ledger, SECONDS + 1)
    check_points(ledger, 1, SECONDS + 1)


def test_deleted_while_the_disk_gave_errors_tells_what_is_lost(tmp_path):
    ledger = filled(tmp_path)
    ledger._file._close_writer()  # as after an error of the disk
    for one in ("ledger", "ledger-wal"):
        (tmp_path / one).unlink(missing_ok=True)
    commit_second(ledger, SECONDS + 1)
    assert "unsent readings are lost" in texts(ledger)
    assert number_of(ledger) == SECONDS + 1
    check_points(ledger, SECONDS + 1, SECONDS + 1)


def test_a_closed_ledger_writes_no_more(tmp_path):
    ledger = filled(tmp_path)
    ledger.close()
    ledger.close()
    with pytest.raises(ValueError, match="closed"):
        commit_second(ledger, SECONDS + 1)
    with pytest.raises(ValueError, match="closed"):
        ledger.read(0, 1)
