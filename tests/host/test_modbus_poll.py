"""One request at a time, answers told from what is none, and turns on the line."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from fluksometer.domain.line_turns import QUIET_S, LineTurns
from fluksometer.domain.modbus_models import modbus_models
from fluksometer.domain.modbus_poll import Meter, Poller, Registers, Wrong, answer_of, request_of

DRYER = Meter(1, modbus_models()["sdm120"], 10.0, "dryer")
HOUSE = Meter(2, modbus_models()["sdm630"], 5.0, "house")


def sealed(frame: bytes) -> bytes:
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def answer(address: int, words: list[int], function: int = 4) -> bytes:
    return sealed(bytes([address, function, 2 * len(words)]) + struct.pack(f">{len(words)}H", *words))


def test_a_request_is_the_frame_of_the_standard() -> None:
    assert request_of(DRYER, 0) == bytes.fromhex("010400000020f1d2")
    assert request_of(DRYER, 1) == sealed(bytes.fromhex("010400460006"))


def test_answers_and_what_is_none() -> None:
    words = list(range(32))
    whole = answer(1, words)
    assert answer_of(DRYER, 0, whole) == Registers(words)
    assert answer_of(DRYER, 0, whole[:-1]) is None
    assert answer_of(DRYER, 0, whole[:-1] + b"\0") is None
    assert answer_of(DRYER, 0, answer(2, words)) == Wrong("bad_answer", "meter 2 answered in its place")
    assert answer_of(DRYER, 0, answer(1, words[:30])) == Wrong("bad_answer", "the answer is not to the question")
    assert answer_of(DRYER, 0, answer(1, words, 3)) == Wrong("bad_answer", "the answer is not to the question")
    assert answer_of(DRYER, 0, sealed(bytes([1, 0x84, 2]))) == Wrong("exception", "exception 2: illegal address")


def test_a_round_asks_each_read_and_brings_their_registers() -> None:
    poller = Poller([DRYER, HOUSE])
    assert poller.due(100.0) == request_of(DRYER, 0) and poller.due(100.0) is None
    first, second = answer(1, [7] * 32), answer(1, [8] * 6)
    assert poller.take(first[:20]) is None
    assert poller.take(first[20:]) == (DRYER, Registers([7] * 32))
    assert poller.go_on() == (request_of(DRYER, 1), {})
    assert poller.take(second) == (DRYER, Registers([8] * 6))
    assert poller.go_on() == (None, {0: [7] * 32, 1: [8] * 6})
    assert poller.due(100.1) == request_of(HOUSE, 0)
    assert poller.ended() == (HOUSE, Wrong("no_answer", "no answer"))
    assert poller.go_on() == (None, {})
    assert poller.next_due_s() == 105.1 and poller.due(105.0) is None
    assert poller.wrong == {"no_answer": 1} and poller.polls == 2


def test_a_late_answer_to_another_question_does_not_spoil_the_one_behind_it() -> None:
    poller = Poller([HOUSE])
    poller.due(0.0)
    right = answer(2, [5] * 78)
    assert poller.take(answer(1, [7] * 32)) is None
    assert poller.take(b"\x13\x37") is None
    assert poller.take(right) == (HOUSE, Registers([5] * 78))
    assert not poller.wrong


def test_damage_and_strangers_are_told_apart_when_the_turn_ends() -> None:
    for data, kind in ((answer(2, [5] * 78)[:-1] + b"\0", "bad_crc"), (answer(1, [7] * 32), "bad_answer")):
        poller = Poller([HOUSE])
        poller.due(0.0)
        assert poller.take(data) is None
        outcome = poller.ended()
        assert outcome and isinstance(outcome[1], Wrong) and outcome[1].kind == kind


def test_a_board_that_is_away_costs_no_meter_a_fault() -> None:
    poller = Poller([DRYER])
    poller.due(0.0)
    poller.give_up(1.0)
    assert poller.ended() is None and not poller.wrong
    assert poller.due(1.5) is None and poller.next_due_s() is not None
    assert poller.due(20.0) == request_of(DRYER, 0)


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=300), max_size=6), mangled=st.integers(0, 160), bit=st.integers(1, 255))
def test_any_bytes_are_no_answer_unless_they_are_the_right_one(pieces: list[bytes], mangled: int, bit: int) -> None:
    good = bytearray(answer(2, list(range(78))))
    good[mangled] ^= bit
    poller = Poller([HOUSE])
    poller.due(0.0)
    for piece in [*pieces, bytes(good)]:
        assert poller.take(piece) is None
    outcome = poller.ended()
    assert outcome and isinstance(outcome[1], Wrong)


def test_turns_are_taken_in_order_and_end_by_silence_or_by_their_time() -> None:
    turns = LineTurns(0.001, 1.0)
    turns.ask("a", b"12345678")
    turns.ask("b", b"x")
    ended, turn = turns.step(10.0)
    assert ended is None and turn and turn.owner == "a"
    assert turns.step(10.1) == (None, None) and turns.owner == "a"
    assert turns.next_deadline_s() == 10.0 + 1.0 + (8 + 256) * 0.001
    turns.quiet_from(10.5)
    assert turns.step(10.5 + QUIET_S - 0.001) == (None, None)
    ended, turn = turns.step(10.5 + QUIET_S)
    assert ended == "a" and turn and turn.owner == "b"
    turns.ask("c", b"y")
    turns.ask("d", b"z")
    turns.forget("c")
    turns.done()
    ended, turn = turns.step(11.0)
    assert ended is None and turn and turn.owner == "d"
    turns.ask("e", b"w")
    assert turns.clear() == ["d", "e"] and turns.next_deadline_s() is None
