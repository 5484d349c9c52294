"""``fluksometer top``: a live table of what Fluksometers publish."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer.command import Command

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fluksometer.domain.live_table import LiveTable

DESCRIPTION = """\
Show the sensors of every Fluksometer on a broker: power or flow now, total, age of the reading; what is wrong, below.
Ends with Ctrl-C.

example:
  fluksometer top --host 192.168.1.20 --plain --seconds 30
  fluksometer top -c fluksometer.toml"""
_REDRAW_S = 0.5
_PLAIN_EVERY_S = 5.0


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``top``."""
    add_broker(parser)
    parser.add_argument("--plain", action="store_true", help="print a table every 5 s instead of drawing; for logs")
    parser.add_argument(
        "--seconds",
        type=_positive,
        metavar="N",
        help="end after so long; exit code 0 if at least one gauge and one counter came, else 1",
    )


def add_broker(parser: ArgumentParser) -> None:
    """Arguments that name a broker: ``host``, ``port``, or ``config``, as broker_of reads them."""
    words = "a bridge's configuration: its broker, with its login and TLS, instead of --host and --port"
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=words)
    parser.add_argument("--host", type=_host, default="127.0.0.1", help="the broker (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=1883, help="its port (default: %(default)s)")


def broker_of(arguments: Namespace) -> dict[str, Any]:
    """Which broker it is and how it is entered, for MqttWatch. Raises FileFaults."""
    if arguments.config is None:
        return {"host": arguments.host, "port": arguments.port}
    from fluksometer.config import read_config, read_login, read_tls

    config, source = read_config(arguments.config), arguments.config
    login, tls = read_login(config, source), read_tls(config, source)
    return {"host": config.mqtt.client_host, "port": config.mqtt.port, "login": login, "tls": tls}


def run(arguments: Namespace) -> int:
    """Listen and show."""
    import signal
    import threading
    import time

    from rich.console import Console

    from fluksometer.adapters.mqtt_watch import MqttWatch
    from fluksometer.domain.live_table import LiveTable

    table, lock = LiveTable(), threading.Lock()

    def take(topic: str, payload: bytes, retained: bool) -> None:
        with lock:
            table.take(topic, payload, retained=retained, now_s=time.time())

    def drawn() -> "Table":
        with lock:
            return draw(table, time.time(), watch.problem)

    watch = MqttWatch(**broker_of(arguments), take=take)
    console = Console(highlight=False)
    end_s = time.monotonic() + (arguments.seconds or float("inf"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the terminal gets its cursor back
    try:
        watch.start()
        _show(drawn, console, end_s, plain=arguments.plain or not console.is_terminal)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        return 0
    finally:
        watch.stop()
    if why := watch.problem or table.lacking():
        print(f"fluksometer top: {why}", file=sys.stderr)
        return 1
    return 0


def _show(drawn: Callable[[], "Table"], console: "Console", end_s: float, *, plain: bool) -> None:
    """Show it again and again, until ``end_s`` of the monotonic clock."""
    import time

    from rich.live import Live

    if plain:
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(_PLAIN_EVERY_S, left_s))
            console.print(drawn())
        return
    with Live(drawn(), console=console, auto_refresh=False) as live:
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(_REDRAW_S, left_s))
            live.update(drawn(), refresh=True)


def draw(table: "LiveTable", now_s: float, problem: str | None) -> "Table":
    """The table as it stands at ``now_s`` (UTC seconds)."""
    from rich.table import Table
    from rich.text import Text

    lines = table.health_lines(now_s)
    drawing = Table(title=Text(problem) if problem else None, caption=Text("\n".join(lines)) if lines else None)
    for title in ("name", "type"):
        drawing.add_column(title)
    for title in ("now", "total", "age"):
        drawing.add_column(title, justify="right", no_wrap=True)
    for row in table.sorted_rows():
        age_s = row.age_s(now_s)
        cells = (
            row.name or row.sensor_id[:8],
            row.medium,
            row.gauge.text if row.gauge else "-",
            row.counter.text if row.counter else "-",
            "-" if age_s is None else f"{age_s:.0f} s",
        )
        drawing.add_row(*map(Text, cells))  # as they are: brackets of a name are no markup
    return drawing


def _host(text: str) -> str:
    from fluksometer.domain.hosts import is_host

    if not is_host(text):
        raise ArgumentTypeError(f"{text!r} is not a host name or address (without mqtt:// and port)")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return int(text)


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e9:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


COMMAND = Command(help="live table of the sensors on a broker", description=DESCRIPTION, configure=configure, run=run)
