"""Log lines: time, level, event and key=value fields, one line each, to standard error."""

import contextlib
import logging
import os
import sys
from typing import TextIO, cast

import structlog


def configure(*, verbose: bool = False) -> None:
    """Set up logging for this process. Colours only on a terminal; ``verbose`` shows debug lines too."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr is not None and sys.stderr.isatty(), pad_event_to=18, sort_keys=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Lines())),
    )


class _Lines:
    """Standard error for log lines. One that can't be written (disk full, reader gone) is lost: metering goes on."""

    def write(self, text: str) -> None:
        if sys.stderr is None:  # closed by whoever started us
            return
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Nothing is kept back."""
