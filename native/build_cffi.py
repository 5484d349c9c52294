"""The C cores for CPython: setuptools compiles them into fluksometer._metering (setup.py). The bridge uses metering, tests both."""

from pathlib import Path

from cffi import FFI

# setuptools runs this file from the root of the checkout.
FOLDERS = [Path("native/metering"), Path("native/pulses")]
HEADERS = [folder / f"{folder.name}.h" for folder in FOLDERS]
SOURCES = [FOLDERS[0] / "metering.c", FOLDERS[0] / "mains.c", FOLDERS[1] / "pulses.c"]


def declarations(header: str) -> str:
    """The header without its preprocessor lines, as cffi wants it."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


ffibuilder = FFI()
for path in HEADERS:
    ffibuilder.cdef(declarations(path.read_text(encoding="utf-8")))
ffibuilder.set_source(
    "fluksometer._metering",
    "\n".join(f'#include "{path.name}"' for path in HEADERS),
    sources=[str(source) for source in SOURCES],
    include_dirs=[str(folder) for folder in FOLDERS],
    extra_compile_args=["-std=c99", "-O2", "-Wall", "-Wextra"],
)
