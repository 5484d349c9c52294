"""The whole chain without hardware: emulated Pico, real flash.sh, broker, bridge, live table. Started by ./tools/demo."""

import argparse
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from fluksometer.faults import FileFaults
from house.housefile import House, read_house

ROOT = Path(__file__).resolve().parent.parent
FLUKSOMETER = Path(sys.executable).with_name("fluksometer")
WORK = ROOT / ".cache/demo"
DEFAULT_RATE_HZ = 4000
STARTED = time.monotonic()

EPILOG = """examples:
  ./tools/demo                          until Ctrl-C
  ./tools/demo --seconds 30             ends by itself; exit code 0 when readings came
  ./tools/demo --house my-house.toml    another house; tools/house/houses/ has some to copy from
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

    def __init__(self, name: str, *command: object) -> None:
        self.name = name
        self.log = WORK / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)

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


def configuration(house: House, link: Path, rate_hz: int, mqtt_port: int) -> str:
    """The bridge's configuration for what is wired up in the house."""
    lines = [
        "# Written by ./tools/demo; `fluksometer init` writes one for a real board.",
        f'[device]\nname = "demo"\nstate = "{WORK / "state"}"',
        f'[board]\nport = "{link}"\nrate_hz = {rate_hz}',
        f'[mqtt]\nbroker = "embedded"\nport = {mqtt_port}',
    ]
    for clamp in house.clamp:
        voltage_v = round(house.mains.voltage_v)
        lines.append(
            f'[[sensor]]\nport = {clamp.port}\nfunction = "clamp {clamp.port}"\ntype = "electricity"\n'
            f"clamp_a = {round(clamp.rating_a)}\nvoltage_v = {voltage_v}"
        )
    for pulse in house.pulse:
        lines.append(
            f'[[sensor]]\nport = {pulse.port}\nfunction = "pulse {pulse.port}"\ntype = "electricity"\nconstant = 1.0'
        )
    return "\n\n".join(lines) + "\n"


def check_port_free(port: int) -> None:
    """DemoFailed when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoFailed(
                f"port {port} is taken, by another broker perhaps: ./tools/demo --mqtt {port + 1}"
            ) from error


def show(seconds: float | None, mqtt_port: int) -> int:
    """The live table, until it ends or is interrupted; its exit code."""
    command = [str(FLUKSOMETER), "top", "--host", "127.0.0.1", "--port", str(mqtt_port)]
    if not sys.stdout.isatty():
        command.append("--plain")
    if seconds is not None:
        command += ["--seconds", str(seconds)]
    table = subprocess.Popen(command, cwd=ROOT)
    try:
        return table.wait()
    except KeyboardInterrupt:
        table.wait(10)
        return 0
    finally:
        if table.poll() is None:
            table.terminate()


def run(arguments: argparse.Namespace) -> int:
    """Everything, in order; returns the exit code."""
    house = read_house(arguments.house)
    check_port_free(arguments.mqtt)
    WORK.mkdir(parents=True, exist_ok=True)
    link = WORK / "pico"
    with ExitStack() as stack:

        def start(name: str, *command: object) -> Part:
            part = Part(name, *command)
            stack.callback(part.stop)
            return part

        emulate = start(
            "emulate", FLUKSOMETER, "emulate", "--house", arguments.house, "--link", link, "--flash", WORK / "flash.bin"
        )
        emulate.wait_for("ready", 60)
        say(f"the emulated Pico is on: its console is {link.relative_to(ROOT)}")
        if subprocess.run([ROOT / "flash.sh", link], cwd=ROOT).returncode:
            raise DemoFailed("the board could not be flashed, see above")
        say("flashed with ./flash.sh, the script for a real board")
        config = WORK / "fluksometer.toml"
        config.write_text(configuration(house, link, arguments.rate, arguments.mqtt), encoding="utf-8")
        bridge = start("bridge", FLUKSOMETER, "run", "-c", config)
        bridge.wait_for("board_hello", 60)
        say(f"the bridge hears the board; MQTT: 127.0.0.1:{arguments.mqtt}, topics /sensor/# and /device/#")
        if arguments.http is not None:
            say("note: this version has no web interface yet, so nothing listens on the --http port")
        code = show(arguments.seconds, arguments.mqtt)
        emulate.check()
        bridge.check()
    return code


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="./tools/demo", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, help="end after so long a table; without it Ctrl-C ends the demo")
    parser.add_argument("--house", type=Path, default=ROOT / "tools/house/houses/demo.toml", help="what is wired up")
    parser.add_argument(
        "--rate", type=int, default=DEFAULT_RATE_HZ, metavar="HZ", help="samples a second of each clamp (20000)"
    )
    parser.add_argument("--mqtt", type=int, default=1883, metavar="PORT", help="where the broker listens (1883)")
    parser.add_argument(
        "--http", type=int, metavar="PORT", help="kept for the web interface, which this version has not"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
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
