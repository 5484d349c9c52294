"""What a word of the command line is: the shape that cli.py collects.

Other packages add theirs by the entry point group ``fluksometer.commands``.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word of ``fluksometer WORD``.

    Its one-line help, its longer description, its arguments, and what it does (returns the exit code).
    """

    help: str
    description: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]
