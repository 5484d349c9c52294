"""What can go wrong at run time, told to a person in one line.

Exception
|- faults.FileFaults   a file written by a person can't be used (exit code 2)
|- Failure             the command can't go on (exit code 1)
   |- StateFault       what must be kept can't be read or written
   |- PortTaken        the embedded broker's port is in use
   |- NoBoard          no board, or more than one, on USB
"""


class Failure(Exception):
    """The command can't go on; the text says why and what helps."""


class StateFault(Failure):
    """What must be kept (ids) can't be read or written."""


class PortTaken(Failure):
    """Something else listens where the embedded broker should."""


class NoBoard(Failure):
    """``board.port = "auto"`` finds no board, or more than one."""
