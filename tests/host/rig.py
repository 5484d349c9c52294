"""What the tests of the whole bridge run: the bridge in a process of its own, a scripted board, a broker, a listener."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from host.scripted_board import ScriptedBoard
from places import ROOT

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
MOSQUITTO_SUB = shutil.which("mosquitto_sub")

CONFIG = """\
[device]
state = "state"
clock = "trust"
[board]
port = "{port}"
[mqtt]
broker = "{broker}"
port = {mqtt_port}
{more}
"""
SENSORS = """\
[[sensor]]
port = 1
function = "clamp 1"
clamp_a = 50
[[sensor]]
port = 2
function = "clamp 2"
clamp_a = 100
voltage_v = 240
[[sensor]]
port = 3
function = "clamp 3"
clamp_a = 50
[[sensor]]
port = 4
function = "pulse 4"
constant = 0.5
[[sensor]]
port = 5
function = "pulse 5"
type = "water"
constant = 10
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT / 'host'}:{ROOT / 'tools'}", "XDG_STATE_HOME": "/nonexistent"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true, what: str, timeout_s: float = 15.0):
    end_s = time.monotonic() + timeout_s
    while not (value := true()):
        assert time.monotonic() < end_s, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.02)
    return value


class Mosquitto:
    """A real broker on a free port."""

    def __init__(self, folder: Path, more: str = "persistence false\n") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        settings = more.format(folder=folder)
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n{settings}")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([MOSQUITTO, "-c", self._config], stderr=subprocess.DEVNULL)
        wait_until(lambda: answers(self.port), "mosquitto")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False


class Listener:
    """mosquitto_sub as the stranger's client: lines of (retained flag, topic, payload)."""

    def __init__(self, port: int, topic: str, folder: Path) -> None:
        self._path = folder / f"heard-{time.monotonic_ns()}"
        with self._path.open("wb") as output:
            self.process = subprocess.Popen(
                [MOSQUITTO_SUB, "-p", str(port), "-t", topic, "-F", "%r %t %p"], stdout=output, stderr=output
            )

    def lines(self) -> list[tuple[str, str, str]]:
        return [tuple(line.split(" ", 2)) for line in self._path.read_text().splitlines() if line.count(" ") >= 2]

    def wait_for(self, pattern: str, timeout_s: float = 15.0) -> tuple[str, str, str]:
        """The first line that matches, whole."""

        def found():
            return next((line for line in self.lines() if re.fullmatch(pattern, " ".join(line))), None)

        return wait_until(found, lambda: f"{pattern} in {self.lines()}", timeout_s)


def _signals_as_in_a_terminal() -> None:
    # What runs in the background or under nohup ignores these, and so would the bridge.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class BridgeProcess:
    """``python -m fluksometer run``."""

    def __init__(self, config: Path) -> None:
        self.log_path = config.with_suffix(f".log-{time.monotonic_ns()}")
        with self.log_path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fluksometer", "run", "-c", config],
                stderr=output,
                env=environment(),
                cwd=config.parent,
                preexec_fn=_signals_as_in_a_terminal,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for_log(self, text: str, timeout_s: float = 15.0) -> None:
        wait_until(lambda: text in self.log, lambda: f"{text} in\n{self.log}", timeout_s)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(timeout=15)


class Rig:
    """Everything in one folder; whatever was started is ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = ScriptedBoard(folder / "board")
        self.mosquitto: Mosquitto | None = None
        self.port = 0
        self.sensors = SENSORS
        self._started: list[subprocess.Popen] = []

    def use(self, kind: str) -> None:
        if kind == "mosquitto":
            if not (MOSQUITTO and MOSQUITTO_SUB):
                pytest.skip("mosquitto and mosquitto_sub are not installed")
            self.mosquitto = Mosquitto(self.folder)
            self._started.append(self.mosquitto.process)
            self.port = self.mosquitto.port
        else:
            self.port = free_port()

    def write_config(self, more: str = "") -> Path:
        path = self.folder / "meter.toml"
        broker = "127.0.0.1" if self.mosquitto else "embedded"
        text = CONFIG.format(port=self.board.path, broker=broker, mqtt_port=self.port, more=more)
        path.write_text(text + self.sensors)
        return path

    def bridge(self, more: str = "") -> BridgeProcess:
        return self.bridge_from(self.write_config(more))

    def bridge_from(self, config: Path) -> BridgeProcess:
        """Of a configuration that the test has written itself."""
        bridge = BridgeProcess(config)
        self._started.append(bridge.process)
        return bridge

    def listen(self, topic: str = "/sensor/#") -> Listener:
        if not MOSQUITTO_SUB:
            pytest.skip("mosquitto_sub is not installed")
        wait_until(lambda: answers(self.port), "the broker")
        listener = Listener(self.port, topic, self.folder)
        self._started.append(listener.process)
        return listener

    def close(self) -> None:
        self.board.unplug()
        if self.mosquitto:
            self._started.append(self.mosquitto.process)
        for process in self._started:
            process.kill()
            process.wait()
