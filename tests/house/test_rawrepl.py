"""Running Python on the board for a test."""

import pytest

from house.rawrepl import BoardError, execute

pytestmark = pytest.mark.emulated


def test_it_returns_what_was_printed_and_keeps_the_names(boot):
    board = boot()
    assert execute(board, "a = 6") == ""
    assert execute(board, "print(a * 7)") == "42\r\n"


def test_an_exception_is_raised_with_its_traceback(boot):
    with pytest.raises(BoardError, match="ZeroDivisionError"):
        execute(boot(), "1 / 0")


def test_it_interrupts_a_running_program(boot):
    board = boot()
    board.console.send(b"while True: pass\r\r\r")
    board.run_for(0.05)
    assert execute(board, "print('there')") == "there\r\n"


def test_a_program_without_end_is_given_up(boot):
    with pytest.raises(BoardError, match=r"within 0\.1 s"):
        execute(boot(), "while True: pass", timeout_s=0.1)
