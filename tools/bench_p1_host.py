"""The host's part of the `p1` benchmark: telegrams a second, beside dsmr-parser in the same run.

Telegrams are those of tests/vectors/p1 with another clock, counter and power in each, so that nothing can be remembered but
what a real meter repeats too. Ours come as one stream in pieces of 4096 bytes, those of dsmr-parser as whole telegrams, which is
less work. Both check the CRC. Time is that of the core, and the best of several rounds in turn counts: other work on the machine
only ever slows one down.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dsmr_parser import telegram_specifications
from dsmr_parser.parsers import TelegramParser

from accuracy_waves import Figure
from fluksometer.domain.p1_stream import P1Stream, host_parser
from fluksometer.telegram import crc16

VECTORS = Path(__file__).resolve().parent.parent / "tests/vectors/p1"
SPECIFICATIONS = {
    "dsmr4": telegram_specifications.V4,
    "dsmr5": telegram_specifications.V5,
    "dsmr5-three-phase": telegram_specifications.V5,
    "emucs": telegram_specifications.BELGIUM_FLUVIUS,
    "sweden": telegram_specifications.SWEDEN,
    "hungary": telegram_specifications.EON_HUNGARY,
}
PIECE_BYTES = 4096
LEAST_PER_S, LEAST_TIMES = 10_000, 7


def telegrams(name: str, count: int) -> list[bytes]:
    """So many telegrams of one meter, seconds apart."""
    data = (VECTORS / f"{name}.txt").read_bytes()
    body = re.sub(rb"0-0:96\.13\.0\(\xff+\)\r\n", b"", data[: data.rindex(b"!") + 1])  # nobody's text
    made = []
    for number in range(count):
        minute, second = divmod(number % 3600, 60)
        one = re.sub(rb"(0-0:1\.0\.0\(\d{8})\d{4}", rb"\g<1>%02d%02d" % (minute, second), body)
        one = re.sub(rb"\.\d{3}\*(kWh|kW)", rb".%03d*\1" % (number % 1000), one)
        made.append(one + b"%04X\r\n" % crc16(0, one))
    return made


def pieces(made: list[bytes]) -> list[bytes]:
    """The stream of them."""
    stream = b"".join(made)
    return [stream[at : at + PIECE_BYTES] for at in range(0, len(stream), PIECE_BYTES)]


def parsed_only(stream: list[bytes]) -> int:
    """Telegrams found, their registers as the wire has them."""
    parser = host_parser()
    return sum(len(parser.push(piece)) for piece in stream)


def whole(stream: list[bytes]) -> int:
    """Telegrams found, as typed values."""
    reader = P1Stream()
    return sum(len(reader.push(piece)) for piece in stream)


def by_peer(name: str, texts: list[str]) -> int:
    """Telegrams that dsmr-parser reads."""
    parser = TelegramParser(SPECIFICATIONS[name])
    return sum(parser.parse(text) is not None for text in texts)


def seconds(work: Callable[[], int], count: int) -> float:
    """How long it takes to read them all."""
    began = time.process_time()
    assert work() == count
    return time.process_time() - began


def figures(full: bool = False) -> Iterator[Figure]:
    """Telegrams a second, for each kind and for all of them in equal parts."""
    count, peer_count, rounds = (2000, 400, 9) if full else (500, 100, 5)
    sums = dict.fromkeys(("push", "whole", "dsmr_parser"), 0.0)
    for name in SPECIFICATIONS:
        made = telegrams(name, count)
        stream, texts = pieces(made), [one.decode("latin-1") for one in made[:peer_count]]
        ways = {
            "push": (partial(parsed_only, stream), count),
            "whole": (partial(whole, stream), count),
            "dsmr_parser": (partial(by_peer, name, texts), peer_count),
        }
        best = dict.fromkeys(sums, float("inf"))
        for _ in range(rounds):
            best = {way: min(best[way], seconds(work, many) / many) for way, (work, many) in ways.items()}
        for way, each in best.items():
            sums[way] += each / len(SPECIFICATIONS)
            yield Figure(metric=f"host_{way}_{name}", value=1 / each, unit="telegrams/s")
        yield Figure(metric=f"host_times_dsmr_parser_{name}", value=best["dsmr_parser"] / best["whole"], unit="ratio")
    for way, each in sums.items():
        least = LEAST_PER_S if way == "whole" else None
        yield Figure(metric=f"host_{way}", value=1 / each, unit="telegrams/s", limit=least, at_least=True)
    times = sums["dsmr_parser"] / sums["whole"]
    yield Figure(metric="host_times_dsmr_parser", value=times, unit="ratio", limit=LEAST_TIMES, at_least=True)
