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
from host.making import make_hello

from fluksometer.adapters import serial_link
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.serial_link import Chunk, LinkDown, LinkUp, SerialLink, describe, find_port
from fluksometer.errors import NoBoard

PICO = 0x0005
KNOWN, OTHER = "e66141040396962a", "e6614c311b7c8f21"


def usb(device, vid=0x2E8A, pid=PICO, serial_number=None):
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=serial_number)


def test_a_named_port_is_taken_as_it_is():
    assert find_port("/dev/anything", []) == "/dev/anything"


def test_auto_finds_the_one_board():
    assert find_port("auto", [usb("/dev/ttyS0", None, None), usb("/dev/ttyACM1")]) == "/dev/ttyACM1"


def test_auto_prefers_micropython_to_other_picos():
    assert find_port("auto", [usb("/dev/ttyACM0", pid=0x000C), usb("/dev/ttyACM1")]) == "/dev/ttyACM1"


def test_no_board_and_many_boards_name_the_fix():
    with pytest.raises(NoBoard, match="plug it in, or name its port"):
        find_port("auto", [])
    with pytest.raises(NoBoard) as caught:
        find_port("auto", [usb("/dev/ttyACM1", serial_number=OTHER.upper()), usb("/dev/ttyACM0")])
    assert str(caught.value) == (f'2 boards on USB, name one: /dev/ttyACM0, board.port = "usb:{OTHER}" (/dev/ttyACM1)')


def test_among_several_boards_the_known_one_is_taken_whatever_its_port():
    for device in ("/dev/ttyACM0", "/dev/ttyACM7"):
        boards = [usb("/dev/ttyACM3", serial_number=OTHER), usb(device, serial_number=KNOWN.upper())]
        assert find_port("auto", boards, KNOWN, waits=True) == device
    with pytest.raises(NoBoard, match="2 boards on USB"):
        find_port("auto", [usb("a", serial_number="1"), usb("b", serial_number="2")], KNOWN)


def test_another_board_takes_the_place_of_the_known_one_only_after_a_while():
    other = [usb("/dev/ttyACM0", serial_number=OTHER)]
    with pytest.raises(NoBoard, match=f"the board {KNOWN} is not there; .* another is taken"):
        find_port("auto", other, KNOWN, waits=True)
    assert find_port("auto", other, KNOWN) == "/dev/ttyACM0"


def test_a_serial_number_names_one_board():
    boards = [usb("/dev/ttyACM0", serial_number=OTHER), usb("/dev/ttyUSB0", 0x0403, 1, KNOWN), usb("/dev/ttyS0")]
    assert find_port(f"usb:{KNOWN.upper()}", boards, OTHER) == "/dev/ttyUSB0"
    with pytest.raises(NoBoard) as caught:
        find_port("usb:12", boards[:1], OTHER)
    assert str(caught.value) == (
        "no USB device with the serial number 12: plug it in, or change board.port; "
        f'there is board.port = "usb:{OTHER}" (/dev/ttyACM0)'
    )


def test_the_unique_id_of_a_hello_is_the_serial_number_on_usb():
    """machine.unique_id() of a Pico are bytes e6 61 ...; the board reads them as a little-endian number (board/main.py)."""
    uid = int.from_bytes(bytes.fromhex(KNOWN), "little")
    assert make_hello(uid=uid).usb_serial == KNOWN


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


class Plug:
    """A pseudo-terminal as a USB port that comes and goes, under another name each time."""

    def __init__(self, serial_number):
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = usb(os.ttyname(self._slave), serial_number=serial_number)

    def pull(self):
        os.close(self._slave)
        os.close(self.master)


async def news_of(queue, kind, timeout_s=5.0):
    """The next news of that kind, and how long it took."""
    started_s = time.monotonic()
    while not isinstance(news := await asyncio.wait_for(queue.get(), timeout_s), kind):
        pass
    return news, time.monotonic() - started_s


def test_a_board_whose_port_is_renamed_is_found_again_beside_another_one(monkeypatch):
    ports = []
    monkeypatch.setattr(serial_link.list_ports, "comports", lambda: [plug.port for plug in ports])

    async def scenario():
        news = asyncio.Queue()
        ports.append(Plug(KNOWN))
        link = SerialLink("auto", clock=host_time, tell=news.put_nowait)
        link.start()
        try:
            await news_of(news, LinkUp)
            os.write(ports[0].master, b"hello")
            await news_of(news, Chunk)
            link.prefer(KNOWN)
            ports.append(Plug(OTHER))
            ports.pop(0).pull()  # nobody writes: the read alone notices
            _down, noticed_s = await news_of(news, LinkDown)
            assert noticed_s < 0.5
            why, _s = await news_of(news, LinkDown)
            assert "another is taken" in why.reason
            await asyncio.sleep(2)
            back = Plug(KNOWN)
            ports.append(back)
            up, found_s = await news_of(news, LinkUp)
            assert (up.port, found_s < 1.5) == (back.port.device, True)
        finally:
            link.stop()
            for plug in ports:
                plug.pull()

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
