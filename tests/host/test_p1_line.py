"""The host's own P1 cable: a meter on a pseudo-terminal, which speaks only to a port that is set as it sends."""

import contextlib
import os
import random
import termios
import threading
import time
import tty

import pytest
from host.p1_vectors import LUXEMBOURG_FRAME, TELEGRAMS
from host.rig import wait_until

from fluksometer.adapters.clock import host_time
from fluksometer.adapters.p1_cable import P1Cable
from fluksometer.domain.p1_line import FORMS, FormFinder
from fluksometer.shared.p1 import Frame

NEW, OLD = FORMS
NOISE = random.Random(1).randbytes(400)


class Meter:
    """Sends its telegram over and over, in small pieces; noise to a port of another rate (a pseudo-terminal has 8 bits always)."""

    def __init__(self, path, sends, baud=termios.B115200):
        self.path, self.sends, self._baud = path, sends, baud
        self._stop = threading.Event()
        self.plug()

    def plug(self):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))
        self._stop.clear()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def unplug(self):
        self.path.unlink()
        self._stop.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def _send(self):
        while not self._stop.wait(0.05):
            data = self.sends if termios.tcgetattr(self._slave)[4] == self._baud else NOISE
            for at in range(0, len(data), 200):
                with contextlib.suppress(OSError):
                    os.write(self._master, data[at : at + 200])


@pytest.fixture
def started():
    """What was started; all of it is ended."""
    with contextlib.ExitStack() as stack:

        def start(path, sends, *baud, finder=None):
            meter = Meter(path, sends, *baud)
            cable = P1Cable(str(path), clock=host_time, finder=finder)
            woken = threading.Event()
            cable.start(woken.set)
            stack.callback(cable.stop)
            return meter, cable, woken

        yield start


def said(cable):
    return wait_until(cable.arrived, "a telegram", 20)


def test_telegrams_come_with_their_time(tmp_path, started):
    before_s = time.time()
    _, cable, woken = started(tmp_path / "meter", TELEGRAMS["dsmr5"])
    (first, *_) = said(cable)
    assert ("1-0:32.7.0", 230400, "V", None, None) in first.said.registers
    assert before_s < first.time.wall_s <= time.time()
    assert woken.is_set()


def test_frames_are_found_too(tmp_path, started):
    _, cable, _ = started(tmp_path / "meter", LUXEMBOURG_FRAME)
    assert isinstance(said(cable)[0].said, Frame)


def test_an_old_meter_is_read_at_9600_7e1(tmp_path, started):
    finder = FormFinder(noise_s=0.5, nothing_s=1.0)
    _, cable, _ = started(tmp_path / "meter", TELEGRAMS["dsmr3"], termios.B9600, finder=finder)
    assert said(cable)[0].said.registers
    assert finder.form == OLD


def test_a_cable_that_was_unplugged_is_read_again(tmp_path, started):
    meter, cable, _ = started(tmp_path / "meter", TELEGRAMS["dsmr5"])
    said(cable)
    meter.unplug()
    ((event, fields),) = wait_until(cable.faults, "a word")
    assert event == "p1_cable_down" and str(tmp_path) in fields["reason"]
    cable.arrived()
    meter.plug()
    assert said(cable)[0].said.registers


def test_a_form_in_which_nothing_can_be_read_is_changed_and_silence_is_no_reason():
    finder = FormFinder()
    assert not finder.heard(NOISE, 0, 100.0)
    assert not finder.heard(NOISE, 0, 110.0)
    assert finder.heard(NOISE, 0, 111.5) and finder.form == OLD
    assert not finder.heard(NOISE[:10], 0, 1000.0), "nothing has come for long: the count begins with the first byte"
    assert finder.heard(NOISE, 0, 1011.5) and finder.form == NEW


def test_text_without_telegrams_is_given_half_a_minute():
    finder = FormFinder()
    for now_s in range(31):
        assert not finder.heard(b"/ISK5 text that never becomes a telegram", 0, float(now_s))
    assert finder.heard(b"text", 0, 31.5)


def test_a_telegram_settles_it():
    finder = FormFinder()
    for now_s in range(0, 300, 10):
        assert not finder.heard(NOISE, now_s % 20 == 0, float(now_s))
    assert finder.form == NEW
