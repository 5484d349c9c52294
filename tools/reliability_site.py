"""One site of the campaign: a virtual board, its cable, a bridge, a broker and a subscriber, and what can befall them."""

import random
import shutil
import signal
import time
from pathlib import Path

from board_world import CLAMP_PORTS, PULSES_PER_KS
from bridge_forks import BridgeForks, is_running, kill
from house.linux_board import LinuxBoard
from reliability_broker import Broker, Heard, Subscriber, wait_until
from reliability_truth import CLAMP_A, CONSTANT_MILLI, VOLTAGE_V, Boot, Verdict, judge, read_truth, sensor_id

TELEGRAM = Path(__file__).resolve().parent.parent / "tests/vectors/p1/dsmr5-three-phase.txt"
KINDS = ("bridge", "cable", "broker", "power")
_BACK_S = 30.0  # longer than this nobody waits
_HURRY = 0.25  # share of the faults that do not wait until the one before is over
_DOUBLE = 0.2  # share of the outages of cable and broker in which the bridge is killed too
_SETTLED_S = 3.0

_CONFIG = """\
[device]
state = "state"
[board]
port = "usb:{usb_serial}"
[mqtt]
broker = "127.0.0.1"
port = {mqtt_port}
"""


class Site:
    """Everything in one folder; ``p1``: with a smart meter. Faults come one after the other, chosen by ``rng``."""

    def __init__(self, folder: Path, forks: BridgeForks, rng: random.Random, *, uid: int, p1: bool = False) -> None:
        self.folder, self._forks, self._rng = folder, forks, rng
        folder.mkdir()
        self.back_s: dict[str, list[float]] = {kind: [] for kind in KINDS}  # from mended to the next reading
        self.not_awaited = self.doubles = 0
        self.board = LinuxBoard(folder, uid=uid, first_boot_id=1000 * uid + 1)
        self.broker = Broker(folder)
        self.config = folder / "meter.toml"
        text = _CONFIG.format(usb_serial=self.board.usb_serial, mqtt_port=self.broker.port)
        self.config.write_text(text + ("[p1]\n" if p1 else "") + "".join(_sensors()))
        if p1:
            shutil.copy(TELEGRAM, folder / "telegram")
        self.broker.start()
        self.subscriber = Subscriber(self.broker.port)
        self.broker.save()
        self.board.power_up()
        self.board.cable.plug()
        self._bridge = self._start_bridge()
        try:
            self._wait_for_reading(time.monotonic())
        except Exception:
            self.close()
            raise

    # --- faults ---

    def befall(self, kind: str, *, last: bool) -> None:
        """One fault, mended; then wait until a reading comes, or (at random, not when ``last``) only for a moment."""
        {"bridge": self._kill, "cable": self._pull, "broker": self._stop_broker, "power": self._cut}[kind]()
        mended_s = time.monotonic()
        if not last and self._rng.random() < _HURRY:
            self.not_awaited += 1
            time.sleep(self._rng.uniform(0.05, 1.0))
            return
        self.back_s[kind].append(self._wait_for_reading(mended_s) - mended_s)
        time.sleep(self._rng.uniform(0.0, 1.0))

    def _kill(self) -> None:
        kill(self._bridge)
        self._bridge = self._start_bridge()

    def _pull(self) -> None:
        self.board.cable.pull()
        self._outage()
        self.board.cable.plug(renamed=self._rng.random() < 0.5)

    def _stop_broker(self) -> None:
        # What a broker has acknowledged and its subscriber has not got dies with it: that loss would be the broker's.
        wait_until(lambda: self.subscriber.connected, "the subscriber")
        self.broker.stop(self._rng.choice((signal.SIGTERM, signal.SIGKILL)))
        self._outage()
        self.broker.start()

    def _outage(self) -> None:
        # In some of them the bridge dies as well.
        time.sleep(self._rng.uniform(0.02, 0.5))
        if self._rng.random() < _DOUBLE:
            self.doubles += 1
            self._kill()
            time.sleep(self._rng.uniform(0.02, 0.5))

    def _cut(self) -> None:
        self.board.power_cut()
        with (self.folder / "truth").open("a") as book:
            book.write(f"cut {self.board.boot_id} {time.time_ns()}\n")
        time.sleep(self._rng.uniform(0.02, 0.5))
        self.board.power_up()

    # --- the end ---

    def settle(self) -> None:
        """Let everything become quiet, and what is on its way arrive."""
        self.board.be_quiet()
        wait_until(lambda: "quiet" in self._truth(), "the board to become quiet")
        end_s = time.monotonic() + _BACK_S
        while time.monotonic() < end_s:
            before = self._totals()
            time.sleep(_SETTLED_S)
            if self._totals() == before and self.subscriber.connected:
                return

    def truth(self) -> list[Boot]:
        """What was true so far."""
        return read_truth(self._truth())

    def verdict(self) -> Verdict:
        """What the subscriber heard against the truth."""
        return judge(self.truth(), self.subscriber.heard)

    def check(self) -> None:
        """RuntimeError when a board or a bridge has ended by itself."""
        if not self.board.running:
            raise RuntimeError(f"{self.folder}: the board has ended:\n{self.board.errors}")
        if not is_running(self._bridge):
            raise RuntimeError(f"{self.folder}: the bridge has ended:\n{self.log()[-2000:]}")

    def log(self) -> str:
        """What the bridges wrote."""
        return (self.folder / "bridge.log").read_text(errors="replace")

    def close(self) -> None:
        """End everything."""
        kill(self._bridge)
        self.subscriber.close()
        self.broker.stop(signal.SIGKILL)
        self.board.close()

    # --- ---

    def _start_bridge(self) -> int:
        return self._forks.start(self.config, self.folder / "bridge.log")

    def _wait_for_reading(self, since_s: float) -> float:
        # When the first one came that was heard of since then.
        heard, at = self.subscriber.heard, len(self.subscriber.heard)
        while at and heard[at - 1].at_s >= since_s:
            at -= 1
        end_s = time.monotonic() + _BACK_S
        while time.monotonic() < end_s:
            if at < len(heard):
                return heard[at].at_s
            self.check()
            time.sleep(0.005)
        raise TimeoutError(f"{self.folder}: no reading for {_BACK_S:g} s:\n{self.log()[-2000:]}")

    def _totals(self) -> dict[str, Heard]:
        return {one.sensor_id: one for one in list(self.subscriber.heard) if one.kind == "counter"}

    def _truth(self) -> str:
        return (self.folder / "truth").read_text()


def _sensors() -> list[str]:
    clamps = [
        f'[[sensor]]\nport = {port}\nfunction = "clamp {port}"\nclamp_a = {CLAMP_A}\nvoltage_v = {VOLTAGE_V}\n'
        f'id = "{sensor_id(port)}"\n'
        for port in CLAMP_PORTS
    ]
    kinds = {4: "electricity", 5: "water"}
    pulses = [
        f'[[sensor]]\nport = {port}\nfunction = "pulse {port}"\ntype = "{kinds[port]}"\n'
        f'constant = {CONSTANT_MILLI[port] / 1000:g}\nid = "{sensor_id(port)}"\n'
        for port in PULSES_PER_KS
    ]
    return clamps + pulses
