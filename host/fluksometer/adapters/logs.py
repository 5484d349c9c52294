"""Log lines: time, level, event and key=value fields, one line each, to standard error."""

import logging
import sys

import structlog


def configure(*, verbose: bool = False) -> None:
    """Set up logging for this process. Colours only on a terminal; ``verbose`` shows debug lines too."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=18, sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
