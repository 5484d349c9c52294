"""The flash file: only the file system, whole or not at all, soon after a change."""

from types import SimpleNamespace

import pytest

from house.flashfile import FS_BYTES, FS_START, FlashFault, FlashFile
from house.rawrepl import execute


@pytest.fixture
def mcu():
    return SimpleNamespace(flash=bytearray(b"\xff" * 2**21), clock=SimpleNamespace(nanos=0.0))


def test_it_keeps_the_file_system_and_nothing_else(tmp_path, mcu):
    path = tmp_path / "pico.flash"
    file = FlashFile(path, mcu)
    mcu.flash[FS_START - 1 : FS_START + 2] = b"abc"
    file.changed()
    file.save()
    assert path.stat().st_size == FS_BYTES and path.read_bytes()[:3] == b"bc\xff"
    other = SimpleNamespace(flash=bytearray(2**21), clock=mcu.clock)
    FlashFile(path, other)
    assert other.flash[FS_START - 1 : FS_START + 3] == b"\x00bc\xff"


def test_it_saves_at_a_quiet_moment_and_at_last_anyway(tmp_path, mcu):
    path = tmp_path / "pico.flash"
    file = FlashFile(path, mcu)
    saved_at = []
    for step in range(100):
        mcu.clock.nanos = step * 0.1e9
        if step < 50:
            file.changed()
        file.save_if_quiet()
        if path.exists():
            saved_at.append(step / 10)
            path.unlink()
    assert saved_at == pytest.approx([3.0, 5.2])


def test_without_a_change_there_is_no_file(tmp_path, mcu):
    file = FlashFile(tmp_path / "pico.flash", mcu)
    file.save_if_quiet()
    file.save()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_size_is_refused(tmp_path, mcu):
    (tmp_path / "pico.flash").write_bytes(b"short")
    with pytest.raises(FlashFault, match=rf"5 bytes, a flash file has {FS_BYTES}"):
        FlashFile(tmp_path / "pico.flash", mcu)


@pytest.mark.emulated
def test_a_file_on_the_board_outlives_the_emulator(boot, tmp_path):
    path = tmp_path / "pico.flash"
    board = boot(flash=path)
    execute(board, "with open('note.txt', 'w') as f: f.write('kept')")
    board.run_for(0.5)
    assert path.stat().st_size == FS_BYTES  # saved while running: nothing was closed yet
    again = boot(flash=path)
    assert execute(again, "print(open('note.txt').read())") == "kept\r\n"
