"""MicroPython's source tree, and the image built from it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import firmware_debian as debian
import firmware_uf2 as uf2
from workplace import ToolError, alone, micropython_tag, need, put_in_place, run, say, scratch

FLASH_START = 0x10000000
TOOLCHAIN = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cmake": "cmake",
    "ninja": "ninja-build",
    "make": "make",
    "gcc": "gcc",
}
# Frozen into the image: what the port itself needs and asyncio. The official image freezes some drivers on top, which
# the firmware does not use, from a library that the Debian archive does not carry.
MANIFEST = 'freeze("$(PORT_DIR)/modules")\ninclude("$(MPY_DIR)/extmod/asyncio")\n'


@dataclass(frozen=True, slots=True)
class Library:
    """A library that the rp2 port expects in lib/: where Debian keeps it."""

    package: str
    within: str = ""  # folder of a binary package; a source package has none


LIBRARIES = {
    "pico-sdk": Library("pico-sdk-source", "usr/src/pico-sdk"),
    "tinyusb": Library("tinyusb-source", "usr/src/tinyusb"),
    "mbedtls": Library("mbedtls"),
}


class Workshop:
    """Fetches the source and builds images, in the folder `room`."""

    def __init__(self, room: Path, env: Mapping[str, str] = os.environ) -> None:
        self.room, self.log = room, room / "firmware.log"
        self.tag = micropython_tag()
        self.own_tree = Path(env["MICROPYTHON_DIR"]).resolve() if env.get("MICROPYTHON_DIR") else None

    def source(self) -> Path:
        """MicroPython's source tree of the pinned version: the maker's own (MICROPYTHON_DIR) or fetched."""
        if self.own_tree:
            check_version(self.own_tree, self.tag)
            return self.own_tree
        tree = self.room / f"micropython-{self.tag}"
        if not tree.is_dir():
            with alone("source", self.room):
                if not tree.is_dir():
                    self._fetch(tree, libraries=False)
        return tree

    def image(self, board: str, family: int, target: Path) -> None:
        """Build the board's image and put it at `target` once it is verified."""
        need(TOOLCHAIN)
        with alone("image", self.room):
            if target.is_file():
                return
            tree = self._source_with_libraries()
            with scratch(self.room, "image") as folder:
                built = self._build(board, family, tree, folder)
                uf2.check(built, family, self.tag)
                put_in_place(built, target)

    def _source_with_libraries(self) -> Path:
        if self.own_tree:
            check_version(self.own_tree, self.tag)
            if missing := missing_libraries(self.own_tree):
                raise ToolError(f"{self.own_tree}/lib lacks {', '.join(missing)}.\n"
                                f"Run: make -C {self.own_tree}/ports/rp2 submodules")  # fmt: skip
            return self.own_tree
        tree = self.room / f"micropython-{self.tag}"
        with alone("source", self.room):
            if not tree.is_dir() or missing_libraries(tree):
                self._fetch(tree, libraries=True)
        return tree

    def _fetch(self, tree: Path, *, libraries: bool) -> None:
        began = time.monotonic()
        with scratch(self.room, "source") as folder:
            archive = debian.Archive(folder, self.log)
            archive.open()
            if not tree.is_dir():
                say(f"  MicroPython {self.tag}: source")
                self._fetch_micropython(archive, folder).rename(tree)
            if libraries:
                for name in missing_libraries(tree):
                    say(f"  {name}: source")
                    fetch_library(archive, LIBRARIES[name], folder / f"lib-{name}", tree / "lib" / name)
        say(f"  source in place after {time.monotonic() - began:.0f} s")

    def _fetch_micropython(self, archive: debian.Archive, folder: Path) -> Path:
        files = archive.source("micropython")
        tarball = debian.upstream_tarball(files)
        version = tarball.name.partition("_")[2]
        if not re.match(rf"{re.escape(self.tag)}\b", version):
            raise ToolError(f"Debian {debian.SUITE} has micropython {version.partition('.orig')[0]}, not {self.tag}.\n"
                            "Give your own source with MICROPYTHON_DIR, or an image with --from.")  # fmt: skip
        unpacked = folder / "tree"
        debian.unpack(tarball, unpacked)
        check_version(unpacked, self.tag)
        # Debian leaves this library out; its read-me is all that the build looks for when nothing is frozen from it.
        (unpacked / "lib/micropython-lib").mkdir(exist_ok=True)
        (unpacked / "lib/micropython-lib/README.md").touch()
        return unpacked

    def _build(self, board: str, family: int, tree: Path, folder: Path) -> Path:
        began = time.monotonic()
        say(f"  building MicroPython {self.tag} for {board} (about a minute on two cores; log: {self.log})")
        program = self._compile(board, tree, folder)
        binary, image = folder / "firmware.bin", folder / "firmware.uf2"
        run(["arm-none-eabi-objcopy", "-O", "binary", program, binary], self.log)
        where = ["-b", hex(FLASH_START), "-f", hex(family)]
        run([sys.executable, tree / "tools/uf2conv.py", *where, "-c", "-o", image, binary], self.log)
        say(f"  built in {time.monotonic() - began:.0f} s")
        return image

    def _compile(self, board: str, tree: Path, folder: Path) -> Path:
        jobs = f"-j{len(os.sched_getaffinity(0))}"
        env = {
            "MICROPY_GIT_TAG": f"v{self.tag}",  # else it would ask git, and find this project's tags
            "MICROPY_GIT_HASH": "unknown",
            "SOURCE_DATE_EPOCH": str(int((tree / "py/mpconfig.h").stat().st_mtime)),  # the release's date, not today's
            "MICROPY_MPYCROSS": str(folder / "mpy-cross/mpy-cross"),
        }
        run(["make", "-C", tree / "mpy-cross", jobs, f"BUILD={folder / 'mpy-cross'}"], self.log, env=env)
        manifest, build = folder / "manifest.py", folder / "build"
        manifest.write_text(MANIFEST)
        settings = {
            "MICROPY_BOARD": board,
            "MICROPY_FROZEN_MANIFEST": manifest,
            "PICO_NO_PICOTOOL": 1,  # not in Debian; MicroPython's own uf2conv.py does its part
            "PICO_NO_UF2": 1,
        }
        options = [f"-D{name}={value}" for name, value in settings.items()]
        configure: list[str | Path] = ["cmake", "-S", tree / "ports/rp2", "-B", build, "-G", "Ninja", *options]
        run(configure, self.log, env=env | self._without_cplusplus(folder / "empty"))
        run(["ninja", "-C", build, jobs], self.log, env=env)
        return build / "firmware.elf"

    def _without_cplusplus(self, folder: Path) -> dict[str, str]:
        """Settings that spare the maker the boards' C++ library (300 MB to download).

        The Pico SDK has one C++ file, MicroPython none; without its content an empty library is enough for the linker.
        """
        folder.mkdir()
        run(["arm-none-eabi-ar", "rcs", folder / "libstdc++.a"], self.log)
        return {"CXXFLAGS": "-DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1 -nostdinc++", "LDFLAGS": f"-L{folder}"}


def missing_libraries(tree: Path) -> list[str]:
    """The libraries of the rp2 port that are not in the tree (a tree from Debian has empty folders for them)."""
    return [name for name in LIBRARIES if not any((tree / "lib" / name).glob("*"))]


def fetch_library(archive: debian.Archive, library: Library, folder: Path, target: Path) -> None:
    """Fetch a library and move it to `target` when it is whole."""
    if library.within:
        files = archive.binary(library.package)
        (files / library.within).rename(folder)
        shutil.copy(files / "usr/share/doc" / library.package / "copyright", folder / "copyright.debian")
    else:
        debian.unpack(debian.upstream_tarball(archive.source(library.package)), folder)
    if target.is_dir():
        target.rmdir()
    folder.rename(target)


def check_version(tree: Path, tag: str) -> None:
    """Refuse a MicroPython source tree of another version: its native modules and images would not fit."""
    header = tree / "py/mpconfig.h"
    if not header.is_file():
        raise ToolError(f"{tree} is no MicroPython source tree: it has no py/mpconfig.h")
    numbers = dict(re.findall(r"#define MICROPY_VERSION_(\w+) (\d+)", header.read_text()))
    version = ".".join(numbers.get(part, "?") for part in ("MAJOR", "MINOR", "MICRO"))
    if numbers.get("PRERELEASE", "0") != "0":
        version += "-preview"
    if version != tag:
        raise ToolError(f"{tree} is MicroPython {version}, but micropython.tag pins {tag}.\n"
                        f"Check out v{tag} there, or change micropython.tag.")  # fmt: skip
