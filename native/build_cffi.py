"""The metering core for CPython: setuptools compiles it into fluksometer._metering (pyproject.toml, cffi-modules)."""

from pathlib import Path

from cffi import FFI

# setuptools runs this file from the root of the checkout.
FOLDER = Path("native/metering")
HEADER = FOLDER / "metering.h"
SOURCES = [FOLDER / "metering.c", FOLDER / "mains.c"]


def declarations(header: str) -> str:
    """The header without its preprocessor lines, as cffi wants it."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(declarations(HEADER.read_text(encoding="utf-8")))
ffibuilder.set_source(
    "fluksometer._metering",
    '#include "metering.h"',
    sources=[str(source) for source in SOURCES],
    include_dirs=[str(FOLDER)],
    extra_compile_args=["-std=c99", "-O2", "-Wall", "-Wextra"],
)
