"""The emulated Pico as a whole: boots, resets, keeps time, and serves the real mpremote."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from house.console import PtyConsole
from house.pico import Pace
from house.rawrepl import execute

pytestmark = pytest.mark.emulated

MPREMOTE = Path(sys.executable).parent / "mpremote"


def test_it_boots_and_answers(boot):
    board = boot()
    assert board.run_until(lambda: board.console.written.endswith(b">>> "), 2)
    board.console.send(b"print(1+1)\r")
    assert board.run_until(lambda: b"\r\n2\r\n" in board.console.written, 1)


def test_nothing_is_typed_into_a_fresh_board(boot):
    board = boot()
    board.run_for(1)
    assert board.console.written.count(b">>>") == 1


def test_run_for_takes_the_very_time(boot):
    board = boot()
    before = board.nanos
    board.run_for(0.123456789)
    assert board.nanos - before == 123_456_789


def test_run_until_gives_up(boot):
    board = boot()
    before = board.nanos
    assert board.run_until(lambda: False, 0.5) is False
    assert board.nanos - before == 500_000_000


def test_the_board_has_the_emulated_time(boot):
    board = boot()
    execute(board, "import time; start = time.ticks_ms()")
    board.run_for(20)
    assert 20_000 <= int(execute(board, "print(time.ticks_diff(time.ticks_ms(), start))")) < 20_100


def test_busy_cycles_are_those_of_work(boot):
    board = boot()
    execute(board, "import time")
    busy, cycles = board.busy_cycles, board.cycles
    execute(board, "time.sleep(2)")
    assert (board.busy_cycles - busy) / (board.cycles - cycles) < 0.02
    busy, cycles = board.busy_cycles, board.cycles
    execute(board, "end = time.ticks_add(time.ticks_ms(), 100)\nwhile time.ticks_diff(end, time.ticks_ms()) > 0: pass")
    assert 0.1 * 125e6 <= board.busy_cycles - busy < 0.13 * 125e6


def test_a_reset_keeps_the_files_and_the_house_goes_on(boot):
    board = boot()
    execute(board, "with open('main.py', 'w') as f: f.write('print(\"main runs\")')\nx = 1")
    nanos, busy = board.nanos, board.busy_cycles
    for restart in (board.press_reset, board.power_cycle):
        board.console.written.clear()
        restart()
        assert board.run_until(lambda: b"main runs" in board.console.written, 2)
        assert execute(board, "print('x' in globals())") == "False\r\n"
    assert board.nanos > nanos and board.busy_cycles > busy


def test_the_cause_of_a_reset_can_be_told(boot):
    board = boot()
    assert execute(board, "import machine; print(machine.reset_cause() == machine.PWRON_RESET)") == "True\r\n"
    board.console.send(b"machine.reset()\r")
    board.run_until(lambda: not board.usb.enumerated, 1)
    assert board.run_until(lambda: board.usb.enumerated, 2)
    assert execute(board, "import machine; print(machine.reset_cause() == machine.WDT_RESET)") == "True\r\n"


def test_exact_and_burst_boards_convert_alike(boot):
    house = "[converter]\nnoise_lsb = 2\n[[clamp]]\nport = 2\ncurrent_a = 10"
    look = "from machine import ADC; adc = ADC(27); print([adc.read_u16() for _ in range(20)])"
    assert execute(boot(house), look) == execute(boot(house, exact=True), look)


def test_a_paced_run_keeps_to_the_wall_clock(boot):
    board = boot()
    paces: list[Pace] = []
    began, nanos = time.monotonic(), board.nanos
    board.run_paced(lambda: time.monotonic() - began > 1.0, paces.append, 0.3)
    assert 0.5 < (board.nanos - nanos) / 1e9 / (time.monotonic() - began) < 1.02
    assert len(paces) == 3 and all(0.5 < pace.ratio < 1.1 for pace in paces)


@pytest.fixture
def running_port(boot, tmp_path):
    """The port of a board that runs paced beside the test."""
    link = tmp_path / "pico"
    board = boot(console=PtyConsole(link))
    ended = threading.Event()
    runner = threading.Thread(target=board.run_paced, args=(ended.is_set,))
    runner.start()
    yield link
    ended.set()
    runner.join()


def mpremote(port: Path, *words: str) -> str:
    done = subprocess.run([MPREMOTE, "connect", port, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_real_mpremote_copies_runs_and_resets(running_port, tmp_path):
    source = tmp_path / "greet.py"
    source.write_text("def greet(): print('from the board')\n" + "# padding\n" * 500)
    mpremote(running_port, "cp", str(source), ":greet.py")
    assert mpremote(running_port, "exec", "import greet; greet.greet()") == "from the board\n"
    mpremote(running_port, "reset")
    assert "greet.py" in mpremote(running_port, "fs", "ls")
