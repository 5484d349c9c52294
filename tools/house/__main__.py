"""``python -m house``: the command ``fluksometer emulate`` without the rest of the command line."""

import sys
from argparse import ArgumentParser

from house.command import COMMAND


def main() -> int:
    """Parses the arguments and runs; returns the exit code."""
    parser = ArgumentParser(prog="fluksometer emulate", description=COMMAND.description)
    COMMAND.configure(parser)
    return COMMAND.run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
