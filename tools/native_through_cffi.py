"""What the native module `metering` offers on the board, here of the same C through cffi: for programs that run on both."""

from array import array
from typing import Any

from fluksometer._metering import ffi, lib

STATE_BYTES: int = ffi.sizeof("metering_t")
WINDOW_BYTES: int = ffi.sizeof("metering_window_t")
PAIR_BYTES: int = ffi.sizeof("metering_pair_t")


def _state(state: bytearray) -> Any:
    return ffi.from_buffer("metering_t *", state)


def _done(result: int) -> None:
    if result != 0:
        raise ValueError("number out of range")


def identity(table: "array[int]") -> None:
    lib.metering_identity(ffi.from_buffer("int16_t[]", table))


def init(state: bytearray, channels: int, rate_hz: int) -> None:
    _done(lib.metering_init(_state(state), channels, rate_hz))


def noise(state: bytearray, channel: int, floor_q20: int) -> None:
    _done(lib.metering_floor(_state(state), channel, floor_q20))


def multiply(state: bytearray, a: int, b: int, c0: int, c1: int) -> None:
    _done(lib.metering_multiply(_state(state), a, b, c0, c1))


def watch(state: bytearray, channel: int) -> None:
    _done(lib.metering_watch(_state(state), channel))


def gap(state: bytearray) -> None:
    lib.metering_break(_state(state))


def fold(state: bytearray, table: "array[int]", ring: "array[int]", first: int, sets: int) -> int:
    codes = ffi.from_buffer("uint16_t[]", ring) + first
    return int(lib.metering_fold(_state(state), ffi.from_buffer("int16_t[]", table), codes, sets))


def windows(state: bytearray) -> int:
    return int(_state(state).windows)


def take(state: bytearray, channel: int, out: bytearray, at: int) -> None:
    out[at : at + WINDOW_BYTES] = ffi.buffer(ffi.addressof(_state(state).closed, channel))[:]


def take_pair(state: bytearray, pair: int, out: bytearray, at: int) -> None:
    out[at : at + PAIR_BYTES] = ffi.buffer(ffi.addressof(_state(state).pairs, pair))[:]
