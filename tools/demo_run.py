"""The whole chain without hardware: emulated Pico, real flash.sh, broker, bridge, live table. Started by ./tools/demo."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # what is installed by the set-up; the arguments are judged before it
    from collections.abc import Callable

    from house.housefile import House

ROOT = Path(__file__).resolve().parent.parent
FLUKSOMETER = Path(sys.executable).with_name("fluksometer")
WORK = ROOT / ".cache/demo"  # of the first demo; a second one at the same time gets a folder of its own
HOUSES = ROOT / "tools/house/houses"
DEMOS_MOST = 9
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEFAULT_RATE_HZ = 4000
STARTED = time.monotonic()

EPILOG = """examples:
  ./tools/demo                          until Ctrl-C
  ./tools/demo --seconds 30             ends by itself; exit code 0 when readings came
  ./tools/demo --house my-house.toml    another house; tools/house/houses/ has some to copy from: full.toml has a smart
                                        meter, radio nodes and a Modbus meter too, and wants --rate 1000
  ./tools/demo --rate 20000             samples a second of each clamp: as many as the firmware takes by itself

While it runs, in another terminal:
  mosquitto_sub -p 1883 -v -t '/sensor/#'
  .venv/bin/fluksometer top

The rate trades detail for work: 4000 samples a second are 80 of each mains cycle and leave half of a desktop core free; the
firmware's own 20000 (400 of each cycle) need most of one. Where .cache/demo/emulate.log warns of a ratio below 1, the house
runs slower than the clock on the wall, and a lower rate helps."""


class DemoFailed(Exception):
    """The demo can't go on; the text says why."""


def say(text: str) -> None:
    """A line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


class Part:
    """A program of the demo that runs beside it; its output goes to a log of its name."""

    def __init__(self, work: Path, name: str, *command: object) -> None:
        self.name = name
        self.log = work / f"{name}.log"
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which ends its parts in order.
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises DemoFailed with the end of its log when it has ended."""
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace").strip()[-1500:]
            raise DemoFailed(f"{self.name} ended with exit code {self.process.returncode}:\n{tail}")

    def wait_for(self, text: str, timeout_s: float) -> None:
        """Until its log holds ``text``."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log.read_text(errors="replace"):
            self.check()
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"{self.name} did not get ready within {timeout_s:.0f} s: see {self.log.relative_to(ROOT)}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, wait, insist."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def take_folder() -> tuple[Path, TextIO]:
    """A folder that no other demo uses now, and the lock that keeps it ours while it is open."""
    for number in range(1, DEMOS_MOST + 1):
        work = WORK if number == 1 else WORK.with_name(f"{WORK.name}-{number}")
        work.mkdir(parents=True, exist_ok=True)
        lock = (work / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return work, lock
    raise DemoFailed(f"{DEMOS_MOST} demos are running already: end one of them")


def configuration(house: House, work: Path, rate_hz: int, mqtt_port: int) -> str:
    """The bridge's configuration for what is wired up in the house."""
    state, link = json.dumps(str(work / "state")), json.dumps(str(work / "pico"))
    lines = [
        "# Written by ./tools/demo; `fluksometer init` writes one for a real board.",
        f'[device]\nname = "demo"\nstate = {state}\nclock = "trust"',
        # An ideal converter needs no table; a measured one has that of its chip, as a real board.
        f'[board]\nport = {link}\nrate_hz = {rate_hz}\nlinearity = "{_linearity(house)}"',
        f'[mqtt]\nbroker = "embedded"\nport = {mqtt_port}',
    ]
    for clamp in house.clamp:
        voltage_v = round(house.mains.voltage_v)
        lines.append(
            f'[[sensor]]\nport = {clamp.port}\nfunction = "clamp {clamp.port}"\ntype = "electricity"\n'
            f"clamp_a = {round(clamp.rating_a)}\nvoltage_v = {voltage_v}"
        )
    for adapter in house.adapter:
        lines.append(
            f'[[sensor]]\nport = {adapter.port}\nfunction = "voltage {adapter.port}"\nclass = "voltage"\n'
            f"adapter_v = {adapter.rating_v}"
        )
    for pulse in house.pulse:
        lines.append(
            f'[[sensor]]\nport = {pulse.port}\nfunction = "pulse {pulse.port}"\ntype = "electricity"\nconstant = 1.0'
        )
    return "\n\n".join(lines + _terminals(house, work)) + "\n"


def _terminals(house: House, work: Path) -> list[str]:
    """The tables of smart meter, radio and RS-485, where the house has them."""
    lines = []
    if house.p1:
        (work / "p1-key").write_text(house.p1.key + "\n", encoding="utf-8")
        (work / "p1-key").chmod(0o600)
        lines.append('[p1]\nkey_file = "p1-key"')
    if house.kube:
        lines.append('[radio]\nnetwork = "flukso"')
    if house.modbus:
        lines.append(f'[rs485]\nbaud = {house.modbus[0].baud}\nformat = "{house.modbus[0].format}"')
    lines += [f'[[modbus]]\naddress = {meter.address}\nmodel = "{meter.model}"' for meter in house.modbus]
    return lines


def _linearity(house: House) -> str:
    return "none" if house.converter.curve == "ideal" else "chip"


def check_port_free(port: int) -> None:
    """DemoFailed when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise DemoFailed(f"port {port} is not for ordinary users: ./tools/demo --mqtt 1883") from error
        except OSError as error:
            raise DemoFailed(
                f"port {port} is taken, by another broker perhaps: ./tools/demo --mqtt {port % 65535 + 1}"
            ) from error


def flash(link: Path) -> None:
    """Run flash.sh in a process group of its own, so that all of it can be ended."""
    flashing = subprocess.Popen([ROOT / "flash.sh", link], cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = flashing.wait()
    finally:
        if flashing.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(flashing.pid, signal.SIGTERM)
            flashing.wait()
    if code:
        raise DemoFailed("the board could not be flashed, see above")


def show(seconds: float | None, mqtt_port: int, parts: list[Part]) -> int:
    """The live table, until it ends or is interrupted; its exit code. DemoFailed as soon as one of the parts ends."""
    command = [str(FLUKSOMETER), "top", "--host", "127.0.0.1", "--port", str(mqtt_port)]
    if not sys.stdout.isatty():
        command.append("--plain")
    if seconds is not None:
        command += ["--seconds", str(seconds)]
    table = subprocess.Popen(command, cwd=ROOT)
    try:
        while table.poll() is None:
            for part in parts:
                part.check()
            time.sleep(0.1)
        return table.returncode
    except KeyboardInterrupt:
        ignore_signals()
        return 0
    finally:
        if table.poll() is None:
            table.terminate()
            table.wait(10)


def run(arguments: argparse.Namespace) -> int:
    """Everything, in order; returns the exit code."""
    from fluksometer.config import Config
    from fluksometer.faults import parse_toml
    from house.housefile import read_house

    house = read_house(arguments.house)
    check_port_free(arguments.mqtt)
    with ExitStack() as stack:
        work, lock = take_folder()
        stack.enter_context(lock)
        text = configuration(house, work, arguments.rate, arguments.mqtt)
        parse_toml(
            text, Config, source=f"{arguments.house} as the bridge sees it"
        )  # faults show before anything starts
        config = work / "fluksometer.toml"
        config.write_text(text, encoding="utf-8")

        def start(name: str, *command: object) -> Part:
            part = Part(work, name, *command)
            stack.callback(part.stop)
            return part

        try:
            return _run_parts(arguments, work, start)
        finally:
            ignore_signals()


def _run_parts(arguments: argparse.Namespace, work: Path, start: Callable[..., Part]) -> int:
    link = work / "pico"
    house = ("--house", arguments.house, "--link", link, "--flash", work / "flash.bin")
    emulate = start("emulate", FLUKSOMETER, "emulate", *house)
    emulate.wait_for("ready", 60)
    say(f"the emulated Pico is on: its console is {link.relative_to(ROOT)}")
    flash(link)
    say("flashed with ./flash.sh, the script for a real board")
    bridge = start("bridge", FLUKSOMETER, "run", "-c", work / "fluksometer.toml")
    bridge.wait_for("board_hello", 60)
    say(f"the bridge hears the board; MQTT: 127.0.0.1:{arguments.mqtt}, topics /sensor/# and /device/#")
    if arguments.http is not None:
        say("note: this version has no web interface yet, so nothing listens on the --http port")
    return show(arguments.seconds, arguments.mqtt, [emulate, bridge])


def number(low: float, high: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """A type of argument: a number within these limits."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:  # no number is within no limits
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:.0f} to {high:.0f}")
        return value

    return parse


def house_file(text: str) -> Path:
    """A type of argument: a file that is there."""
    path = Path(text)
    if path.is_dir() or not path.exists():
        raise argparse.ArgumentTypeError(
            f"there is no file {text!r}; {HOUSES.relative_to(ROOT)}/ has some to copy from"
        )
    return path.absolute()


def parse_arguments() -> argparse.Namespace:
    """The command line; ends the program with exit code 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="./tools/demo", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    seconds, rate, port = number(1, 1e8, float), number(100, 100_000), number(1, 65_535)
    parser.add_argument(
        "--seconds", type=seconds, metavar="N", help="end after so long a table; without it Ctrl-C ends the demo"
    )
    parser.add_argument(
        "--house", type=house_file, metavar="FILE", default=HOUSES / "demo.toml", help="what is wired up"
    )
    parser.add_argument(
        "--rate", type=rate, default=DEFAULT_RATE_HZ, metavar="HZ", help="samples a second of each clamp (%(default)s)"
    )
    parser.add_argument("--mqtt", type=port, default=1883, metavar="PORT", help="where the broker listens (1883)")
    parser.add_argument(
        "--http", type=port, metavar="PORT", help="kept for the web interface, which this version has not"
    )
    parser.add_argument("--arguments-only", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def ignore_signals() -> None:
    """From here on nobody interrupts the end by asking for it again."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def leave(signum: int, _frame: object) -> None:
    """SIGTERM and SIGHUP unwind, as Ctrl-C does."""
    sys.exit(128 + signum)


def main() -> int:
    """Command line; returns the exit code."""
    arguments = parse_arguments()
    if arguments.arguments_only:
        return 0
    from fluksometer.faults import FileFaults

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    try:
        return run(arguments)
    except FileFaults as faults:
        print("\n".join(faults.lines()), file=sys.stderr)
        return 2
    except DemoFailed as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
