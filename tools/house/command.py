"""``fluksometer emulate``: an emulated Pico in a virtual house, on a pseudo-terminal, at the pace of the wall clock."""

import os
import signal
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fluksometer.command import Command

# The emulator itself is imported when the command runs: the other commands must not need or wait for it.
if TYPE_CHECKING:
    from house.housefile import House
    from house.pico import EmulatedPico, Pace

IMAGE_VARIABLE: Final = "FLUKSOMETER_IMAGE"
_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_BOOT_S: Final = 10.0
_STATUS_S: Final = 10.0
_WARNING_S: Final = 60.0
_SLOW_RATIO: Final = 0.97

_DESCRIPTION: Final = f"""\
Boots the MicroPython image that a maker flashes on an emulated Raspberry Pi Pico and puts a virtual house on its pins.
Its USB console is a pseudo-terminal: whatever talks to a real board talks to this one.

  fluksometer emulate --house tools/house/houses/demo.toml --flash pico.flash
  ready /run/user/1000/pico                 <- the address to connect to; in another terminal:
  mpremote connect /run/user/1000/pico repl

The link is `pico` in $XDG_RUNTIME_DIR, or in the directory for temporary files where that is not set. The image is the
newest RPI_PICO-*.uf2 in .cache/firmware of the checkout (tools/firmware builds it), or the one that ${IMAGE_VARIABLE} names.
Without --flash the board forgets its files when the command ends. Ctrl-C ends it.
Exit codes: 0 ended as asked, 1 the image did not boot, 2 it could not start (faults in the house file, no image, ...).
"""


def default_link() -> Path:
    """Where the address of the console stands unless told otherwise."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / "pico"


def default_image() -> Path | None:
    """The image to boot unless told otherwise; None if there is none."""
    named = os.environ.get(IMAGE_VARIABLE)
    if named:
        return Path(named)
    built = (_CHECKOUT / ".cache" / "firmware").glob("RPI_PICO-*.uf2")
    return max(built, key=lambda image: image.stat().st_mtime, default=None)


def _configure(parser: ArgumentParser) -> None:
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument(
        "--house", required=True, type=Path, metavar="FILE", help="the house file (TOML): what hangs on the pins"
    )
    parser.add_argument("--link", type=Path, metavar="PATH", help="where to put the link to the console (see above)")
    parser.add_argument("--image", type=Path, metavar="UF2", help="the MicroPython image (see above)")
    parser.add_argument("--flash", type=Path, metavar="FILE", help="keeps the board's file system in this file")
    parser.add_argument(
        "--exact", action="store_true", help="convert sample by sample: slow, to check the fast way against"
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="end after N seconds of emulated time")


def _run(arguments: Namespace) -> int:
    if find_spec("rp2040py") is None:
        return _refuse(["the emulator is not installed: pip install 'fluksometer[emulator]'"])
    from fluksometer.faults import FileFaults
    from house.console import LinkRefused, PtyConsole
    from house.flashfile import FlashFault
    from house.housefile import read_house
    from house.mends import WrongEmulator
    from house.pico import EmulatedPico

    image = arguments.image or default_image()
    if image is None or not image.is_file():
        missing = f"no image at {image}" if image else "no MicroPython image"
        return _refuse([f"{missing}: build one with tools/firmware, or name one with --image or {IMAGE_VARIABLE}"])
    try:
        house = read_house(arguments.house)
        console = PtyConsole(arguments.link or default_link())
    except FileFaults as error:
        return _refuse(error.lines())
    except (LinkRefused, OSError) as error:
        return _refuse([str(error)])
    _warn(house, arguments.house)
    try:
        pico = EmulatedPico(image, house, flash=arguments.flash, exact=arguments.exact, console=console)
    except (FlashFault, WrongEmulator, ValueError) as error:
        console.close()
        return _refuse([str(error)])
    return _emulate(pico, arguments.link or default_link(), arguments.seconds)


def _refuse(lines: list[str]) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 2


def _warn(house: "House", source: Path) -> None:
    from house.housefile import warnings

    for line in warnings(house):
        print(f"{source}: warning: {line}", file=sys.stderr)


def _emulate(pico: "EmulatedPico", link: Path, seconds: float | None) -> int:
    """Runs until a signal or the given time, and leaves the flash file and the link in order."""
    try:
        with _stop_signals() as stopped:
            if not pico.run_until(lambda: stopped() or (pico.usb.enumerated and pico.asleep), _BOOT_S):
                print(
                    f"the image did not come up within {_BOOT_S:g} s: is it MicroPython for the Pico? Does its main.py wait?",
                    file=sys.stderr,
                )
                return 1
            print(f"ready {link}", flush=True)
            end_ns = None if seconds is None else seconds * 1e9
            pico.run_paced(
                lambda: stopped() or (end_ns is not None and pico.nanos >= end_ns), _Report(pico).tell, _STATUS_S
            )
    finally:
        pico.close()
    return 0


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for an orderly end; afterwards they do what they did before."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: seen.append(got)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Report:
    """A line of status for a person who watches, and once a minute a warning on a machine that is too slow."""

    def __init__(self, pico: "EmulatedPico") -> None:
        self._pico = pico
        self._wall_s = self._emulated_s = 0.0

    def tell(self, pace: "Pace") -> None:
        """Hears how the last stretch went."""
        if sys.stderr.isatty():
            print(f"emulated {self._pico.nanos / 1e9:.0f} s, {pace.ratio:.2f} x real time", file=sys.stderr)
        self._wall_s += pace.wall_s
        self._emulated_s += pace.emulated_s
        if self._wall_s >= _WARNING_S:
            ratio, self._wall_s, self._emulated_s = self._emulated_s / self._wall_s, 0.0, 0.0
            if ratio < _SLOW_RATIO:
                print(
                    f"warning: this machine emulates at {ratio:.2f} x real time; a lower sampling rate helps (--rate)",
                    file=sys.stderr,
                )


COMMAND: Final = Command(
    help="an emulated Pico in a virtual house, on a pseudo-terminal",
    description=_DESCRIPTION,
    configure=_configure,
    run=_run,
)
