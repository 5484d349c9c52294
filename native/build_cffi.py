"""The native cores for CPython: setuptools compiles them into fluksometer._metering, ._pulses and ._telegram (setup.py). The
bridge uses metering and telegram, the tests all."""

from pathlib import Path

from cffi import FFI

# setuptools runs this file from the root of the checkout.
NATIVE = Path("native")


def declarations(header: str) -> str:
    """The header without its preprocessor lines, as cffi wants it."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def builder(module: str, sources: list[str]) -> FFI:
    """What compiles one core: native/MODULE with its header MODULE.h."""
    folder = NATIVE / module
    ffi = FFI()
    ffi.cdef(declarations((folder / f"{module}.h").read_text(encoding="utf-8")))
    ffi.set_source(
        f"fluksometer._{module}",
        f'#include "{module}.h"',
        sources=[str(folder / source) for source in sources],
        include_dirs=[str(folder)],
        extra_compile_args=["-std=c99", "-O2", "-Wall", "-Wextra"],
    )
    return ffi


metering = builder("metering", ["metering.c", "mains.c"])
pulses = builder("pulses", ["pulses.c"])
telegram = builder("telegram", ["telegram.c"])
