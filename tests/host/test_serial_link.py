"""Which port is opened, and what a person is told when it can't be."""

import asyncio
import errno
import os
import termios
import time
import tty
from types import SimpleNamespace

import pytest
import serial

from fluksometer.adapters import serial_link
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.serial_link import Chunk, LinkDown, LinkUp, SerialLink, describe, find_port
from fluksometer.errors import NoBoard


def usb(device, vid, pid):
    return SimpleNamespace(device=device, vid=vid, pid=pid)


def plugged(monkeypatch, *ports):
    monkeypatch.setattr(serial_link.list_ports, "comports", lambda: list(ports))


def test_a_named_port_is_taken_as_it_is():
    assert find_port("/dev/anything") == "/dev/anything"


def test_auto_finds_the_one_board(monkeypatch):
    plugged(monkeypatch, usb("/dev/ttyS0", None, None), usb("/dev/ttyACM1", 0x2E8A, 0x0005))
    assert find_port("auto") == "/dev/ttyACM1"


def test_auto_prefers_micropython_to_other_picos(monkeypatch):
    plugged(monkeypatch, usb("/dev/ttyACM0", 0x2E8A, 0x000C), usb("/dev/ttyACM1", 0x2E8A, 0x0005))
    assert find_port("auto") == "/dev/ttyACM1"


def test_no_board_and_many_boards_name_the_fix(monkeypatch):
    plugged(monkeypatch)
    with pytest.raises(NoBoard, match="plug it in, or name its port"):
        find_port("auto")
    plugged(monkeypatch, usb("/dev/ttyACM0", 0x2E8A, 5), usb("/dev/ttyACM1", 0x2E8A, 5))
    with pytest.raises(NoBoard, match=r"2 boards on USB, name one: .* \(/dev/ttyACM0, /dev/ttyACM1\)"):
        find_port("auto")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "is not there"),
        (errno.EACCES, "dialout"),
        (errno.EAGAIN, "in use by another program"),
        (errno.EIO, "/dev/x: "),
    ],
)
def test_faults_are_told_with_what_helps(number, says):
    assert says in describe(OSError(number, os.strerror(number)), "/dev/x")


def test_bytes_go_both_ways_and_a_lost_port_is_told_once(tmp_path):
    async def scenario():
        master, slave = os.openpty()
        tty.setraw(slave)
        path = tmp_path / "board"
        path.symlink_to(os.ttyname(slave))
        os.close(slave)
        news = asyncio.Queue()
        link = SerialLink(str(path), clock=host_time, tell=news.put_nowait)
        link.write(b"lost: not open yet")
        link.start()
        try:
            assert isinstance(await asyncio.wait_for(news.get(), 5), LinkUp)
            os.write(master, b"from the board")
            chunk = await asyncio.wait_for(news.get(), 5)
            assert isinstance(chunk, Chunk)
            assert chunk.data == b"from the board"
            link.write(b":to the board\n")
            assert await asyncio.to_thread(os.read, master, 100) == b":to the board\n"
            path.unlink()
            os.close(master)
            assert isinstance(await asyncio.wait_for(news.get(), 5), LinkDown)
            assert "is not there" in (await asyncio.wait_for(news.get(), 5)).reason
            await asyncio.sleep(1)
            assert news.empty()  # tried several times meanwhile
        finally:
            started_s = time.monotonic()
            link.stop()
            assert time.monotonic() - started_s < 1

    asyncio.run(scenario())


def test_a_port_that_breaks_is_told_with_what_helps():
    for error in (
        OSError(errno.EIO, "Input/output error"),
        termios.error(errno.EIO, "Input/output error"),
        serial.SerialException("device reports readiness to read but returned no data (...)"),
    ):
        assert describe(error, "/dev/x").startswith("/dev/x: the connection broke")
    assert describe(serial.SerialTimeoutException("Write timeout"), "/dev/x").startswith("/dev/x: it takes no bytes")


def test_no_kind_of_error_ends_the_thread(monkeypatch):
    tries = []

    def explode(*_words, **_more):
        tries.append(time.monotonic())
        raise [termios.error(5, "gone"), RuntimeError("odd")][len(tries) % 2]

    async def scenario():
        monkeypatch.setattr(serial_link.serial, "Serial", explode)
        news = asyncio.Queue()
        link = SerialLink("/dev/x", clock=host_time, tell=news.put_nowait)
        link.start()
        reasons = [(await asyncio.wait_for(news.get(), 5)).reason for _ in range(2)]
        link.stop()
        assert sorted(reason[:14] for reason in reasons) == ["/dev/x: odd", "/dev/x: the co"]

    asyncio.run(scenario())
