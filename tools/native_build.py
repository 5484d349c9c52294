"""`tools/native`: builds the native modules of native/ for each chip, with native/native.mk."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_build import Workshop
from workplace import CACHE, ROOT, ToolError, alone, build_room, micropython_tag, need, put_in_place, run, say

ARCHITECTURES = {"armv6m": "arm-none-eabi-", "armv7emsp": "arm-none-eabi-", "x64": ""}  # -> prefix of the compiler
DESCRIPTION = """Builds the native modules into .cache/native/<arch>/<module>.mpy, those that are not up to date.

armv6m is the Pico (RP2040), armv7emsp the Pico 2 (RP2350), x64 the MicroPython unix port that the tests run."""


def modules(native: Path) -> list[Path]:
    """The folders of native/ that hold a module."""
    return sorted(makefile.parent for makefile in native.glob("*/Makefile"))


def stamp(module: Path, arch: str, tag: str, own_tree: str = "") -> str:
    """A hash of everything that a module is made from."""
    parts = [module.parent / "native.mk", *sorted(p for p in module.iterdir() if p.suffix in (".c", ".h"))]
    digest = hashlib.sha256(f"{arch} {tag} {own_tree}".encode())
    for path in [*parts, module / "Makefile"]:
        digest.update(f"\n{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class Foundry:
    """Builds modules and keeps a stamp beside each, so that nothing is built twice."""

    def __init__(self, root: Path = ROOT, cache: Path = CACHE, env: Mapping[str, str] = os.environ) -> None:
        self.root, self.env = root, env
        self.out = cache / "native"
        self.tag = micropython_tag(root)

    def stale(self, module: Path, arch: str) -> bool:
        """Does this module have to be built for that chip?"""
        built, kept = self._target(module, arch), self._stamp_file(module, arch)
        return not (built.is_file() and kept.is_file() and kept.read_text() == self._stamp(module, arch))

    def build(self, module: Path, arch: str, tree: Path, python: Path) -> None:
        """Compile and link one module for one chip."""
        wanted = self._stamp(module, arch)
        room = build_room(self.root, self.env)
        folder = room / "native" / "build" / arch / module.name
        command: list[str | Path] = ["make", "-C", module, f"ARCH={arch}", f"PYTHON='{python}'", "size"]
        # Relative where it can be: the linker writes this path into the module, which should not depend on the clone.
        command += [f"{name}={_beside(path, module)}" for name, path in (("MPY_DIR", tree), ("BUILD", folder))]
        log = folder.with_suffix(".log")
        log.unlink(missing_ok=True)
        run(command, log)
        put_in_place(folder / f"{module.name}.mpy", self._target(module, arch))
        self._stamp_file(module, arch).write_text(wanted)
        self._report(module, arch, folder)

    def _report(self, module: Path, arch: str, folder: Path) -> None:
        objects = sorted(folder.glob("*.o"))
        table = subprocess.run(
            [f"{ARCHITECTURES[arch]}size", "-t", *objects], capture_output=True, text=True, check=True
        )
        text, data, bss = table.stdout.splitlines()[-1].split()[:3]
        size = self._target(module, arch).stat().st_size
        say(f"native: {module.name:<10} {arch:<10} text {text:>5}  data {data:>4}  bss {bss:>4}  .mpy {size:>5} bytes")

    def _stamp(self, module: Path, arch: str) -> str:
        return stamp(module, arch, self.tag, self.env.get("MICROPYTHON_DIR", ""))

    def _target(self, module: Path, arch: str) -> Path:
        return self.out / arch / f"{module.name}.mpy"

    def _stamp_file(self, module: Path, arch: str) -> Path:
        return self.out / arch / f".{module.name}.stamp"


def _beside(path: Path, folder: Path) -> Path | str:
    relative = os.path.relpath(path, folder)
    return path if any(c.isspace() for c in relative) else relative


def linker_python(root: Path) -> Path:
    """A Python that can run MicroPython's linker, which reads object files with pyelftools and ar."""
    for python in (root / ".venv/bin/python", Path(sys.executable)):
        if (
            python.exists()
            and not subprocess.run([python, "-c", "import elftools, ar"], capture_output=True).returncode
        ):
            return python
    raise ToolError("MicroPython's linker needs the Python packages pyelftools and ar: run tools/setup.sh python")


def build_stale(foundry: Foundry, architectures: Sequence[str], check_only: bool) -> bool:
    """Build what is not up to date; True when all is now."""
    wanted = [(module, arch) for arch in architectures for module in modules(foundry.root / "native")]
    if not any(foundry.stale(*each) for each in wanted):
        return True
    if check_only:
        return False
    prefixes = {ARCHITECTURES[arch] for arch in architectures}
    packages = {"arm-none-eabi-": "gcc-arm-none-eabi libnewlib-arm-none-eabi", "": "gcc"}
    need({"make": "make"} | {f"{prefix}gcc": packages[prefix] for prefix in prefixes})
    with alone("native", build_room(foundry.root, foundry.env)):
        tree = Workshop(build_room(foundry.root, foundry.env), foundry.env).source()
        python = linker_python(foundry.root)
        for module, arch in wanted:
            if foundry.stale(module, arch):
                foundry.build(module, arch, tree, python)
    return True


def main(words: Sequence[str] = tuple(sys.argv[1:])) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="tools/native", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "arch", nargs="*", metavar="ARCH", help=f"of {', '.join(ARCHITECTURES)}; all when none is given"
    )
    parser.add_argument("--check", action="store_true", help="build nothing; exit 1 when something is not up to date")
    asked = parser.parse_args(words)
    if unknown := set(asked.arch) - set(ARCHITECTURES):
        parser.error(f"no such architecture: {', '.join(sorted(unknown))}")
    try:
        return 0 if build_stale(Foundry(), asked.arch or list(ARCHITECTURES), asked.check) else 1
    except ToolError as fault:
        say(f"native: {fault}")
        return 1
