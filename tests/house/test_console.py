"""The pseudo-terminal: who is there, what passes through, and the link to it."""

import os

import pytest

from house.console import LinkRefused, MemoryConsole, PtyConsole


@pytest.fixture
def console(tmp_path):
    made = PtyConsole(tmp_path / "pico")
    yield made
    made.close()


def open_port(console: PtyConsole) -> int:
    return os.open(console.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def test_it_knows_whether_somebody_has_the_port_open(console):
    seen = []
    for _ in range(2):
        console.poll()
        seen.append(console.connected)
        port = open_port(console)
        console.poll()
        seen.append(console.connected)
        os.close(port)
    console.poll()
    assert [*seen, console.connected] == [False, True, False, True, False]


def test_every_byte_passes_unchanged_also_after_a_second_opening(console):
    everything = bytes(range(256))
    for _ in range(2):
        port = open_port(console)
        console.poll()
        os.write(port, everything)
        console.poll()
        assert console.take(1000) == everything
        console.receive(everything)
        assert os.read(port, 1000) == everything
        os.close(port)
        console.poll()


def test_bytes_are_taken_in_portions(console):
    port = open_port(console)
    os.write(port, b"abcdef")
    console.poll()
    assert [console.take(4), console.take(4), console.take(4)] == [b"abcd", b"ef", b""]
    os.close(port)


def test_what_was_sent_just_before_closing_arrives(console):
    port = open_port(console)
    os.write(port, b"last words")
    os.close(port)
    console.poll()
    assert console.take(100) == b"last words" and not console.connected


def test_a_program_that_does_not_read_fills_the_queue_and_then_gets_all(console):
    port = open_port(console)
    console.poll()
    sent = bytearray()
    while console.accepts:
        block = bytes([len(sent) // 64 % 256]) * 64
        console.receive(block)
        sent += block
        assert len(sent) < 200_000, "the queue has no bound"
    received = bytearray()
    while len(received) < len(sent):
        received += os.read(port, 65536)
        console.poll()
    assert received == sent and console.accepts
    os.close(port)


def test_what_nobody_fetched_is_forgotten_at_the_hang_up(console):
    port = open_port(console)
    console.poll()
    while console.accepts:
        console.receive(b"x" * 64)
    os.close(port)
    console.poll()
    assert console.accepts


def test_a_flood_of_input_is_not_lost(console):
    port = open_port(console)
    console.poll()
    flood, given, taken = os.urandom(50_000), 0, bytearray()
    while len(taken) < len(flood):
        try:
            given += os.write(port, flood[given : given + 1000])
        except BlockingIOError:
            assert taken or given > 4096
        console.poll()
        taken += console.take(700)
    assert taken == flood
    os.close(port)


def test_the_link_points_to_the_port_and_goes_with_it(tmp_path):
    link = tmp_path / "run" / "pico"
    console = PtyConsole(link)
    assert link.readlink() == console.path
    console.close()
    assert not link.is_symlink() and list(link.parent.iterdir()) == []


def test_an_old_link_is_replaced_and_a_newer_one_left_alone(tmp_path):
    link = tmp_path / "pico"
    link.symlink_to("/nowhere")
    first = PtyConsole(link)
    second = PtyConsole(link)
    assert link.readlink() == second.path
    first.close()
    assert link.readlink() == second.path
    second.close()
    assert not link.is_symlink()


def test_a_file_in_the_place_of_the_link_stays(tmp_path):
    place = tmp_path / "precious"
    place.write_text("mine")
    with pytest.raises(LinkRefused, match="precious exists"):
        PtyConsole(place)
    assert place.read_text() == "mine"


def test_a_console_in_memory_has_its_switches():
    console = MemoryConsole()
    console.send(b"abc")
    assert (console.take(2), console.unsent, console.accepts) == (b"ab", 1, True)
    console.reading = False
    console.receive(b"said")
    assert console.written == b"said" and not console.accepts
