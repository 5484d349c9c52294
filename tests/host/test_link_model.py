"""Whatever happens to line, board and bridge: what was taken is what the board kept, in order, nothing twice."""

import random

from host.link_model import World
from hypothesis import given, settings
from hypothesis import strategies as st

import link_fuzz

HAPPENINGS = st.sampled_from(
    ["keep"] * 6
    + ["turn"] * 5
    + ["some"] * 3
    + ["say"] * 3
    + ["store"] * 2
    + ["wait", "merge", "replug", "bridge", "board", "board unheard"]
)


def happen(world: World, what: str, number: int) -> None:
    match what:
        case "keep":
            for _ in range(1 + number % 5):
                world.board.keep(world.now_s)
        case "turn":
            world.now_s += number / 100
            world.turn()
        case "some":
            world.turn(share=number / 100)
        case "say":
            world.say()
        case "store":
            world.store()
        case "wait":
            world.wait(number / 20)
        case "merge":
            world.board.merge(number)
        case "replug":
            world.replug()
        case "bridge":
            world.restart_bridge()
        case _:
            world.restart_board(hello_lost=what == "board unheard")


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    twice=st.sampled_from([0.0, 0.2]),
    course=st.lists(st.tuples(HAPPENINGS, st.integers(0, 99)), min_size=5, max_size=120),
)
def test_nothing_is_lost_and_nothing_comes_twice(seed, loss, twice, course):
    world = World(random.Random(seed), loss=loss, twice=twice)
    for what, number in course:
        happen(world, what, number)
        world.check(whole=False)
    world.loss = world.twice = 0.0
    world.say()  # as once a second on a real board
    world.wait(6.0)
    world.check(whole=True)
    world.store()
    world.wait(0.2)
    world.say()  # an acknowledgement was lost earlier: health shows it
    world.wait(0.2)
    assert not world.board.store


def test_hostile_bytes_and_records_never_raise_and_stay_bounded():
    found = link_fuzz.run(1_000_000, seed=20261122)
    assert found["bytes"] >= 1_000_000
    assert found["taken"] > 300 and found["hellos"] > 100 and found["dropped"] > 300
    assert found["asks_a_second"] <= 2.01
    assert found["held_bytes"] < 200_000
