"""``python -m fluksometer``."""

import sys

from fluksometer.cli import main

if __name__ == "__main__":
    sys.exit(main())
