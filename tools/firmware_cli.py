"""`tools/firmware`: finds the MicroPython image. Asks in order: the maker, the cache, micropython.org, a build."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import firmware_uf2 as uf2
from firmware_build import Workshop
from firmware_download import SITE, download
from workplace import (
    CACHE,
    ToolError,
    alone,
    build_room,
    micropython_tag,
    put_in_place,
    say,
    scratch,
    terminate_cleanly,
)

FAMILIES = {"RPI_PICO": uf2.RP2040, "RPI_PICO2": uf2.RP2350}
EXIT_NEEDS_BUILD = 3

DESCRIPTION = """Yields the MicroPython image for a board; its path is the last line on stdout.

Asked in this order: --from (or the environment's FLUKSOMETER_IMAGE), the cache, micropython.org, a build from source.
With the environment's MICROPYTHON_DIR, a source tree of yours, it is built from that and nothing is downloaded.
The version is the one in micropython.tag."""


@dataclass(frozen=True)
class Request:
    """Which image, and where to look."""

    board: str = "RPI_PICO"
    given: Path | None = None
    may_build: bool = True
    may_download: bool = True
    own_source: bool = False  # the maker has a source tree
    cache: Path = field(default_factory=lambda: CACHE / "firmware")
    site: str = SITE


def image(request: Request) -> Path | None:
    """The image's path; None when only a build could make it and that is not wanted."""
    tag, family = micropython_tag(), FAMILIES[request.board]
    if request.given:
        return _given(request.given, family, tag)
    target = request.cache / f"{request.board}-{tag}.uf2"
    if _cached(target, family, tag):
        return target
    room = build_room()
    if request.may_download and not request.own_source and _downloaded(request, target, room):
        return target
    if not request.may_build:
        return None
    say(f"firmware: building it from {'your source (MICROPYTHON_DIR)' if request.own_source else 'source'}")
    Workshop(room).image(request.board, family, target)
    say(f"firmware: built {target}")
    return target


def _given(path: Path, family: int, tag: str) -> Path:
    if not path.is_file():
        raise ToolError(f"no image at {path}")
    version = uf2.check(path, family)
    say(f"firmware: using {path} (MicroPython {version})")
    if version != tag:
        say(f"firmware: note that this project is tested with {tag} (micropython.tag)")
    return path.resolve()


def _cached(target: Path, family: int, tag: str) -> bool:
    if not target.is_file():
        return False
    try:
        uf2.check(target, family, tag)
    except uf2.NotAnImage as fault:
        say(f"firmware: putting aside a bad image in the cache: {fault}")
        target.replace(target.with_suffix(".bad"))
        return False
    say(f"firmware: {target.name} from the cache")
    return True


def _downloaded(request: Request, target: Path, room: Path) -> bool:
    tag = micropython_tag()
    say(f"firmware: {request.board}, MicroPython {tag}: asking {SITE}")
    with alone("download", room), scratch(room, "download") as folder:
        arrived = folder / target.name
        fault = download(request.board, tag, arrived, request.site)
        if fault is None:
            try:
                uf2.check(arrived, FAMILIES[request.board], tag)
            except uf2.NotAnImage as refusal:
                fault = str(refusal)
        if fault is not None:
            say(f"firmware: no image from there ({fault})")
            return False
        put_in_place(arrived, target)
    say(f"firmware: downloaded {target}")
    return True


def arguments(words: Sequence[str], env: Mapping[str, str]) -> argparse.Namespace:
    """What the maker asked for."""
    parser = argparse.ArgumentParser(
        prog="tools/firmware", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--board", choices=sorted(FAMILIES), default="RPI_PICO")
    parser.add_argument("--from", dest="given", type=Path, metavar="PATH", help="a .uf2 that you have")
    parser.add_argument(
        "--print",
        choices=("image", "source"),
        default="image",
        help="source: the path of MicroPython's source tree (or the environment's MICROPYTHON_DIR), fetched if needed",
    )
    parser.add_argument("--no-build", action="store_true", help=f"exit {EXIT_NEEDS_BUILD} rather than build")
    parser.add_argument("--no-download", action="store_true", help="do not ask micropython.org")
    parsed = parser.parse_args(words)
    if parsed.given is None and env.get("FLUKSOMETER_IMAGE"):
        parsed.given = Path(env["FLUKSOMETER_IMAGE"])
    return parsed


def main(words: Sequence[str] = tuple(sys.argv[1:]), env: Mapping[str, str] = os.environ) -> int:
    """The command; returns its exit code."""
    terminate_cleanly()
    asked = arguments(words, env)
    try:
        if asked.print == "source":
            print(Workshop(build_room(), env).source())
            return 0
        found = image(
            Request(
                asked.board,
                asked.given,
                may_build=not asked.no_build,
                may_download=not asked.no_download,
                own_source=bool(env.get("MICROPYTHON_DIR")),
            )
        )
    except (ToolError, uf2.NotAnImage) as fault:
        say(f"firmware: {fault}")
        return 1
    except KeyboardInterrupt:
        say("firmware: interrupted; nothing half-finished stays")
        return 130
    if found is None:
        return EXIT_NEEDS_BUILD
    print(found)
    return 0
