"""A smart meter's desk for tests, and telegrams for it."""

import json
from itertools import count

from host.making import make_hello
from host.p1_vectors import p1_pieces, sealed

from fluksometer.domain.told import ToldBook
from fluksometer.p1_desk import P1Desk

HELLO = make_hello()
NOW_S = 1_790_000_000.0  # September 2026
METER_A, METER_B = "0-0:96.1.1(4130303031)", "0-0:96.1.1(4130303032)"


class Desk:
    """A desk with its book, and what it published: the last payload by function, ``net`` of gauge and counter apart."""

    def __init__(self, **how):
        numbers = count(1)
        self.ids: dict[str, str] = {}
        self.told = ToldBook()
        self.desk = P1Desk(self.told, lambda slot: self.ids.setdefault(slot, f"{next(numbers):032x}"), **how)
        self.number = 0
        self.now_s = 0.0

    def take(self, sent: bytes, after_s: float = 10.0) -> dict[str, list]:
        self.number += 1
        self.now_s += after_s
        return self.take_pieces(p1_pieces(sent, self.number, round(self.now_s * 1e6)))

    def take_pieces(self, pieces) -> dict[str, list]:
        said = {}
        for piece in pieces:
            for message in self.desk.take(HELLO, piece, NOW_S + self.now_s, self.now_s):
                sensor_id, what = message.topic.split("/")[2:]
                said[f"{self.told.sensors[sensor_id].function} {what}"] = json.loads(message.payload)
        return said

    def reasons(self) -> list[tuple[str, str]]:
        return [(event, str(fields["reason"])) for event, fields in self.desk.warnings()]


def meter(*lines: str, meter_id: str = METER_A) -> bytes:
    return sealed("1-3:0.2.8(50)", "0-0:1.0.0(260901120000S)", meter_id, *lines)


def energy(kwh: str, meter_id: str = METER_A) -> bytes:
    return meter(f"1-0:1.8.1({kwh}*kWh)", meter_id=meter_id)
