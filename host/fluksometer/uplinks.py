"""Which sinks and desks a configuration asks for towards servers: time-series engines, a Flukso-compatible server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fluksometer.config import Config, beside, read_secret
from fluksometer.config_influx import InfluxTable
from fluksometer.domain.desk import Desk
from fluksometer.domain.uplink_news import UplinkNews
from fluksometer.faults import FileFaults
from fluksometer.http_call import HttpCaller
from fluksometer.sinks import Seat, Sink


@dataclass(slots=True)
class Uplinks:
    """``sinks``: by name in the ledger, what makes each one, as Bridge takes them."""

    sinks: dict[str, Callable[[Seat], Sink]] = field(default_factory=dict)
    desks: list[Desk] = field(default_factory=list)
    news: UplinkNews = field(default_factory=UplinkNews)


def uplinks_of(config: Config, source: Path) -> Uplinks:
    """All of them. ``source``: the configuration's file, beside which relative paths begin. Raises FileFaults."""
    links = Uplinks()
    if config.influx:
        _add_influx(links, config.influx, source)
    if links.sinks:
        links.desks.append(links.news)
    return links


def _add_influx(links: Uplinks, influx: InfluxTable, source: Path) -> None:
    from fluksometer.adapters.influx_sink import InfluxWriter, basic, influx_sink
    from fluksometer.domain.line_protocol import LineWriter
    from fluksometer.domain.sensor_labels import SensorLabels

    authorization = ""
    if influx.username and influx.password_file:
        authorization = basic(influx.username, read_secret(source, "influx.password_file", influx.password_file))
    elif influx.token_file:
        authorization = "Token " + read_secret(source, "influx.token_file", influx.token_file)
    caller = http_caller(source, "influx", influx.url, influx.ca_file)
    labels, news = SensorLabels(), links.news
    writer = InfluxWriter(
        caller,
        LineWriter(influx.measurement, influx.tags),
        target=influx.target,
        authorization=authorization,
        labels=lambda: labels.by_id,
        tell=lambda reason: news.warn("influx_refused", reason),
    )
    links.desks.append(labels)
    links.sinks["influx"] = lambda seat: influx_sink(writer, seat, batch_s=influx.batch_s)


def http_caller(source: Path, table: str, url: str, ca_file: str | None) -> HttpCaller:
    """Calls to ``url``; faults of the file are those of the table's ``ca_file``."""
    path = beside(source, f"{table}.ca_file", ca_file) if ca_file else None
    try:
        return HttpCaller(url, ca_file=path)
    except OSError as error:
        raise FileFaults(str(source), [f"{table}.ca_file: {path} can't be read: {error.strerror}"]) from error
    except ValueError as error:
        raise FileFaults(str(source), [f"{table}.ca_file: {path} {error}"]) from error
