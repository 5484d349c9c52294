"""Damage at the smart meter's desk: it is named and counted, and credited to nobody."""

import json
import random
from dataclasses import replace

from host.p1_desks import HELLO, NOW_S, Desk, energy, meter
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS, WITH_CRC, crc, p1_pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.domain.p1_pieces import P1Pieces
from fluksometer.domain.p1_trust import Trust
from fluksometer.domain.terminal_readings import P1Status


def test_a_counter_that_fell_is_named_counted_and_refused():
    desk = Desk()
    desk.take(energy("100.000"))
    said = desk.take(energy("99.000"))
    assert "P1 import counter" not in said and "P1 import low counter" not in said
    assert desk.desk.summary()["p1_fell"] == 2
    assert ("p1_fell", "P1 import of A0001 fell: refused. Another meter without an id, or a damaged one?") in (
        desk.reasons()
    )
    assert desk.take(energy("100.001"))["P1 import counter"][1] == 100_001


def test_a_jump_needs_a_witness_and_never_spoils_the_counter():
    desk = Desk()
    desk.take(energy("100.000"))
    assert "P1 import counter" not in desk.take(energy("900000.000"))
    assert "jumped" in str(desk.reasons())
    assert desk.take(energy("100.002"))["P1 import counter"][1] == 100_002, (
        "a damaged digit does not bar the true values"
    )
    assert "P1 import counter" not in desk.take(energy("200.000"))
    assert desk.take(energy("200.001"))["P1 import counter"][1] == 200_001, "two that agree are believed"


def test_hours_without_a_telegram_are_no_jump():
    desk = Desk()
    desk.take(energy("100.000"))
    assert desk.take(energy("140.000"), after_s=3600)["P1 import counter"][1] == 140_000


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=60))
@settings(max_examples=30, deadline=None)
def test_ids_that_change_all_the_time_make_no_end_of_sensors(ids):
    desk = Desk()
    for one in ids:
        desk.take(energy("1.000", f"0-0:96.1.1({one.hex()})"))
    assert len(desk.ids) <= 16 * 3


def test_codes_nobody_knows_are_named_once_and_counted():
    desk = Desk()
    for _ in range(3):
        said = desk.take(meter("1-0:99.88.77(5*kWh)", "1-0:1.7.0(0.1*kW)"))
    assert set(said) == {"P1 power gauge"}
    assert desk.reasons() == [("p1_unknown_code", "1-0:99.88.77 is not known: it is published nowhere")]
    assert desk.desk.summary()["p1_unknown_codes"] == 3


def test_missing_and_mixed_pieces_are_counted_and_give_nothing():
    first, second = (p1_pieces(TELEGRAMS["hungary"], number, number * 10) for number in (1, 2))
    assert len(first) == 2
    for pieces, lost in (
        (first[1:], 1),
        (first[:-1] + second, 1),
        (first[:1] + second[1:], 2),
    ):
        desk = Desk()
        said = desk.take_pieces(pieces)
        assert bool(said) == (pieces[-len(second) :] == second)
        assert desk.desk.summary()["p1_pieces_lost"] == lost, pieces


def test_pieces_with_damaged_contents_are_named():
    desk = Desk()
    (piece,) = p1_pieces(energy("1.0"), 1, 0)
    assert desk.take_pieces([replace(piece, data=piece.data[:-3])]) == {}
    assert desk.desk.summary()["p1_not_understood"] == 1


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_pieces_are_borne(data):
    desk = Desk(decrypt=decrypter(LUXEMBOURG_KEY))
    pool = p1_pieces(TELEGRAMS["dsmr5-four-devices"], 1, 0) + p1_pieces(LUXEMBOURG_FRAME, 2, 1)
    for _ in range(data.draw(st.integers(0, 12))):
        piece = data.draw(st.sampled_from(pool))
        change = data.draw(st.sampled_from(["data", "piece", "pieces", "form", "number", "none"]))
        if change == "data":
            at, by = data.draw(st.integers(0, len(piece.data) - 1)), data.draw(st.binary(max_size=3))
            piece = replace(piece, data=piece.data[:at] + by + piece.data[at + len(by) :])
        elif change != "none":
            piece = replace(piece, **{change: data.draw(st.integers(1 if change == "pieces" else 0, 2))})
        desk.take_pieces([piece])


def test_pieces_are_put_together_in_order_only():
    pieces = [
        replace(p1_pieces(energy("1.0"), 1, 0)[0], piece=index, pieces=3, data=b"%d" % index) for index in range(3)
    ]
    book = P1Pieces()
    assert [book.take(piece) for piece in pieces] == [None, None, b"012"]
    assert [book.take(pieces[index]) for index in (0, 2, 1)] == [None, None, None]
    assert book.lost == 1


def test_the_line_of_the_board_is_watched():
    desk = Desk()
    status = dict.fromkeys(
        ("t_us", "even_parity", "inverted", "bytes_in", "telegrams", "bad_form", "cut", "bad_bytes"), 0
    )
    for bad_crc in (2, 2, 5):
        desk.desk.take(HELLO, P1Status(baud=115_200, bad_crc=bad_crc, **status), NOW_S, 0.0)
    assert desk.reasons() == [("p1_lost", "wrong CRC")] * 2
    assert desk.desk.summary()["p1_bad_wrong_CRC"] == 5


def test_trust():
    trust = Trust()
    assert trust.believes("a", 10**12, "Wh", 0.0, sure=True)
    assert not trust.believes("a", 10**12 + 2_000_000, "Wh", 1.0, sure=True)
    assert not trust.believes("a", 10**12 + 9_000_000, "Wh", 2.0, sure=True), "two that differ are no witnesses"
    assert trust.believes("a", 10**12 + 9_000_001, "Wh", 3.0, sure=True)
    assert not trust.believes("b", 5, "MJ", 0.0, sure=False)
    assert trust.believes("b", 5, "MJ", 1.0, sure=False)
    assert trust.believes("b", 10**9, "MJ", 2.0, sure=False)


def resealed(rng: random.Random, data: bytes) -> bytes:
    """The same telegram with other digits, and a CRC that says that this is right."""
    body = bytearray(data[: data.rindex(b"!") + 1])
    digits = [at for at in range(body.index(b"\n"), len(body)) if 48 <= body[at] <= 57]
    for at in rng.sample(digits, rng.choice((0, 1, 3, 20))):
        body[at] = rng.randrange(48, 58)
    return bytes(body) + b"%04X\r\n" % crc(bytes(body))


def test_whatever_a_telegram_says_no_counter_falls_and_every_payload_can_be_read():
    rng, desk, last = random.Random(20261122), Desk(), {}
    pool = [data for name, data in WITH_CRC.items() if name != "dsmr5-long-text"]
    for number in range(500):
        pieces = p1_pieces(resealed(rng, rng.choice(pool)), number, number)
        desk.now_s += 10
        for piece in pieces:
            for message in desk.desk.take(HELLO, piece, NOW_S + desk.now_s, desk.now_s):
                second, value, unit = json.loads(message.payload)
                sensor = desk.told.sensors[message.topic.split("/")[2]]
                assert isinstance(second, int) and unit in (sensor.unit, "W")
                if message.topic.endswith("counter") and not sensor.falls:
                    assert value >= last.get(message.topic, value)
                    last[message.topic] = value
    assert len(last) > 30
    assert len(desk.ids) < 16 * 60
