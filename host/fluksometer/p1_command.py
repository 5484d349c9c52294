"""``fluksometer p1``: telegrams of a smart meter, from a file or a pipe."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fluksometer.command import Command
from fluksometer.errors import Failure
from fluksometer.p1_keys import key_of, read_key

if TYPE_CHECKING:
    from fluksometer.domain.p1 import Entry, Register, Telegram
    from fluksometer.domain.p1_devices import Device
    from fluksometer.domain.p1_stream import Decrypt, P1Stream

DESCRIPTION = """\
Read telegrams of a smart meter's P1 port and print one JSON object for each. Input may be any bytes: a capture, a serial port's
device, noise around it. A telegram with a wrong CRC prints nothing; it is counted, and the counts end on standard error.

  dialect      dsmr2, dsmr3, dsmr4, dsmr5, smr5.5 (Netherlands), emucs (Belgium), luxembourg, sweden, hungary, austria,
               switzerland, iskra-ie; iec62056 for the bare grammar
  meter_id     equipment id of the electricity meter; what follows "/" in the first line where it sends none
  time         the meter's clock in UTC; null when it has none or it was never set
  crc          "ok", or "none" before DSMR 4
  tariff       in force, and its name where the dialect says which number is which (Belgium: 1 is normal, 2 is low)
  registers    by OBIS code: value and unit as sent (null: a count or a text), with its own time where it has one
  mbus         meters behind this one: type, id, time and value of the newest reading (null: none yet), valve,
               temperature_corrected (gas)
  peaks, failures, month_end   the lists that some meters send
  left_out     lines that were not understood

--net adds the one netted counter of the original Fluksometer (import less export) and its gauge.

Luxembourg encrypts: ask your operator for the key. Standing in a command it can be seen by others on this machine, so better
keep it in a file that only you can read.

examples:
  fluksometer p1 capture.txt
  stty -F /dev/ttyUSB0 115200 raw -echo; fluksometer p1 /dev/ttyUSB0
  fluksometer p1 --key-file smarty.key < capture.bin"""
_CHUNK_BYTES = 4096


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``p1``."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="where from (default: standard input)")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key", type=_key, metavar="HEX", help="encryption key, 32 hex digits")
    key.add_argument("--key-file", type=Path, metavar="FILE", help="file with the encryption key in hex")
    parser.add_argument(
        "--authentication-key", type=_key, metavar="HEX", help="where it is not Luxembourg's (Austria: GAK)"
    )
    parser.add_argument("--net", action="store_true", help="add the netted counter and gauge of the original")
    parser.add_argument(
        "--winter-utc",
        type=int,
        default=1,
        choices=range(-12, 15),
        metavar="HOURS",
        help="hours that winter time is before UTC where the meter is (default: 1)",
    )


def run(arguments: Namespace) -> int:
    """Print the telegrams; 1 when there was none."""
    from fluksometer.domain.p1_stream import P1Stream

    stream = P1Stream(_decrypt(arguments), arguments.winter_utc)
    with ExitStack() as stack:
        file = _open(arguments.file, stack)
        telegrams = 0
        try:
            for telegram in _telegrams(stream, file):
                print(json.dumps(record(telegram, net=arguments.net)), flush=True)
                telegrams += 1
        finally:  # also when somebody ends it
            report(telegrams, stream.bad)
    return 0 if telegrams else 1


def report(telegrams: int, bad: Counter[str]) -> None:
    """Say on standard error what was lost; nothing when all is well."""
    if bad:
        reasons = ", ".join(f"{count} {reason}" for reason, count in bad.items())
        print(f"fluksometer: {bad.total()} bad of {telegrams + bad.total()} telegrams: {reasons}", file=sys.stderr)
    elif not telegrams:
        print("fluksometer: there is no telegram in this", file=sys.stderr)


def _telegrams(stream: "P1Stream", file: BufferedReader) -> Iterator["Telegram"]:
    while data := _read(file):
        yield from stream.push(data)
    yield from stream.pause()


def _read(file: BufferedReader) -> bytes:
    try:
        return file.read1(_CHUNK_BYTES)  # what there is: a port sends a telegram now and then
    except OSError as error:
        raise Failure(f"{file.name}: cannot be read any more: {error.strerror}") from error


def _open(path: Path | None, stack: ExitStack) -> BufferedReader:
    from fluksometer.faults import FileFaults

    if path is None or str(path) == "-":
        return cast(BufferedReader, sys.stdin.buffer)
    try:
        return stack.enter_context(path.open("rb"))
    except OSError as error:
        raise FileFaults(str(path), [f"cannot be read: {error.strerror}"]) from error


def _key(text: str) -> bytes:
    try:
        return key_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error  # which does not repeat the key


def _decrypt(arguments: Namespace) -> "Decrypt | None":
    from fluksometer.adapters.p1_cipher import LUXEMBOURG_AUTHENTICATION_KEY, decrypter

    key = arguments.key if arguments.key_file is None else read_key(arguments.key_file)
    return None if key is None else decrypter(key, arguments.authentication_key or LUXEMBOURG_AUTHENTICATION_KEY)


def record(telegram: "Telegram", *, net: bool = False) -> dict[str, Any]:
    """A telegram as the command prints it (its help tells the keys)."""
    values: dict[str, Any] = {
        "dialect": telegram.dialect,
        "meter_id": telegram.meter_id,
        "time": _iso(telegram.time),
        "crc": telegram.crc,
        "tariff": telegram.tariff,
        "tariff_name": telegram.tariff_name,
        "registers": {code: _register(register) for code, register in telegram.registers.items()},
        "mbus": [_device(device) for device in telegram.devices],
    }
    for name in ("peaks", "failures", "month_end"):
        if entries := getattr(telegram, name):
            values[name] = [_entry(entry, closed=name == "peaks") for entry in entries]
    if net:
        energy_uwh, power_mw = telegram.net_uwh, telegram.net_mw
        values["net"] = {
            "energy_wh": None if energy_uwh is None else energy_uwh / 1_000_000,
            "power_w": None if power_mw is None else power_mw / 1000,
        }
    return values | {"left_out": telegram.left_out}


def _iso(time: Any) -> str | None:
    return None if time is None else str(time.isoformat())


def _register(register: "Register") -> dict[str, Any]:
    value = register.text if register.milli is None else _number(register.milli, register.unit)
    own_time = {} if register.time is None else {"time": _iso(register.time)}
    return {"value": value, "unit": register.unit} | own_time


def _number(milli: int, unit: str | None) -> int | float:
    whole = unit is None and milli % 1000 == 0  # a count
    return milli // 1000 if whole else milli / 1000


def _device(device: "Device") -> dict[str, Any]:
    corrected = device.temperature_corrected
    return {
        "channel": device.channel,
        "type": device.kind,
        "id": device.id,
        "time": _iso(device.time),
        "value": None if device.milli is None else device.milli / 1000,
        "unit": device.unit,
        "valve": device.valve,
    } | ({} if corrected is None else {"temperature_corrected": corrected})


def _entry(entry: "Entry", *, closed: bool) -> dict[str, Any]:
    values = {"time": _iso(entry.time), "value": entry.milli / 1000, "unit": entry.unit}
    return {"closed": _iso(entry.closed)} | values if closed else values


COMMAND = Command(
    help="read a smart meter's telegrams from a file or a pipe", description=DESCRIPTION, configure=configure, run=run
)
