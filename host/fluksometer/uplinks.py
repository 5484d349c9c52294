"""Which sinks a configuration asks for, and which desks towards servers: databases, a Flukso-compatible one, being one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fluksometer.adapters.identity import Identity
from fluksometer.config import Config, read_certificate, state_dir
from fluksometer.config_influx import InfluxTable
from fluksometer.config_server import ServerTable
from fluksometer.config_upload import UploadTable
from fluksometer.config_values import beside, read_secret
from fluksometer.domain.desk import Desk
from fluksometer.domain.flukso_call import IDS
from fluksometer.domain.server_light import ServerLight
from fluksometer.domain.told import ToldBook
from fluksometer.domain.uplink_news import UplinkNews
from fluksometer.faults import FileFaults
from fluksometer.history import HistoryLog, HistorySink, open_log, sinks_of
from fluksometer.http_call import HttpCaller
from fluksometer.sinks import Seat, Sink


@dataclass(slots=True)
class Uplinks:
    """``sinks``: by name in the ledger, what makes each one, as Bridge takes them. ``light``: of the server to upload to.
    ``log``: the history."""

    sinks: dict[str, Callable[[Seat], Sink]] = field(default_factory=dict)
    desks: list[Desk] = field(default_factory=list)
    news: UplinkNews = field(default_factory=UplinkNews)
    light: ServerLight | None = None
    log: HistoryLog | None = None


def uplinks_of(config: Config, identity: Identity, told: ToldBook, source: Path) -> Uplinks:
    """All of them; what is uploaded to this bridge goes into ``told``. ``source``: the configuration's file, beside which
    relative paths begin. Raises FileFaults."""
    log = open_log(config, source)
    links = Uplinks(log=log, sinks=sinks_of(log))
    if config.influx:
        _add_influx(links, config.influx, source)
    if config.upload and config.upload.enable:
        _add_upload(links, config.upload, identity, source)
    if config.server and config.server.enable:
        links.desks.append(_server_desk(config, config.server, told, source))
    if links.sinks.keys() - {HistorySink.name}:
        links.desks.append(links.news)
    return links


def check_files(config: Config, source: Path) -> None:
    """Whether the files that these tables name can be used. Raises FileFaults."""
    if config.influx:
        _authorization(config.influx, source)
        _http_caller(source, "influx", config.influx.url, config.influx.ca_file)
    if config.upload and config.upload.enable:
        _key(config.upload, source)
        _http_caller(source, "upload", config.upload.url, config.upload.ca_file)
    if config.server and config.server.enable:
        read_certificate(config.server, source, "server")


def _authorization(influx: InfluxTable, source: Path) -> str:
    from fluksometer.adapters.influx_sink import basic

    if influx.username and influx.password_file:
        return basic(influx.username, read_secret(source, "influx.password_file", influx.password_file))
    if influx.token_file:
        return "Token " + read_secret(source, "influx.token_file", influx.token_file)
    return ""


def _add_influx(links: Uplinks, influx: InfluxTable, source: Path) -> None:
    from fluksometer.adapters.influx_sink import InfluxWriter, influx_sink
    from fluksometer.domain.line_protocol import LineWriter
    from fluksometer.domain.sensor_labels import SensorLabels

    caller = _http_caller(source, "influx", influx.url, influx.ca_file)
    labels, news = SensorLabels(), links.news
    writer = InfluxWriter(
        caller,
        LineWriter(influx.measurement, influx.tags),
        target=influx.target,
        authorization=_authorization(influx, source),
        labels=lambda: labels.by_id,
        tell=lambda reason: news.warn("influx_refused", reason),
    )
    links.desks.append(labels)
    links.sinks["influx"] = lambda seat: influx_sink(writer, seat, batch_s=influx.batch_s)


def _key(upload: UploadTable, source: Path) -> str:
    key = read_secret(source, "upload.key_file", upload.key_file).strip()
    if not IDS.fullmatch(key):
        raise FileFaults(str(source), ["upload.key_file: holds no key: it is 32 lower-case hex digits"])
    return key


def _add_upload(links: Uplinks, upload: UploadTable, identity: Identity, source: Path) -> None:
    from fluksometer.adapters.upload_sink import Account, UploadSink
    from fluksometer.domain.upload_configs import UploadConfigs
    from fluksometer.domain.upload_queue import UploadQueue

    key = _key(upload, source)
    path = beside(source, "upload.key_file", upload.key_file)
    if path.stat().st_mode & 0o077:
        links.news.warn("upload_key_file", f"{path} can be read by others on this machine: chmod 600")
    caller = _http_caller(source, "upload", upload.url, upload.ca_file)
    account, queue = Account(identity.device_id, key), UploadQueue(upload.sensors)
    light, news, configs = ServerLight(), links.news, UploadConfigs()
    links.desks.append(configs)
    links.light = light
    links.sinks["upload"] = lambda seat: UploadSink(
        caller, account, queue, seat, every_s=upload.every_s, light=light, configs=lambda: configs.by_id, warn=news.warn
    )
    if upload.tmpo_url:
        links.desks.append(_tmpo_desk(upload, account.device_id, key, source))


def _tmpo_desk(upload: UploadTable, device_id: str, key: str, source: Path) -> Desk:
    from fluksometer.adapters.server_link import ServerAddress, ServerLink
    from fluksometer.upload_desk import UploadDesk

    address = ServerAddress(
        host=upload.tmpo_host,
        port=upload.tmpo_port,
        tls=upload.tmpo_tls,
        username=device_id,
        password=key,
        ca_file=beside(source, "upload.ca_file", upload.ca_file) if upload.ca_file else None,
    )
    listen = f"/d/device/{device_id}/tmpo/sync"
    client_id = f"flukso-{device_id[:6]}.flukso"  # as the original's broker; MQTT 3.1 allows 23 characters
    return UploadDesk(
        device_id,
        lambda hear, down: ServerLink(address, client_id=client_id, listen=listen, hear=hear, down=down),
    )


def _server_desk(config: Config, server: ServerTable, told: ToldBook, source: Path) -> Desk:
    from fluksometer.adapters.clock import host_time
    from fluksometer.adapters.device_file import DeviceFile
    from fluksometer.server_desk import ServerDesk
    from fluksometer.web.server_routes import listen_for_uploads

    certificate = read_certificate(server, source, "server")
    devices = DeviceFile(state_dir(config, source))
    return ServerDesk(
        told,
        devices.devices,
        clock=host_time,
        serve=lambda desk: listen_for_uploads(desk, server.listen, server.port, certificate),
    )


def _http_caller(source: Path, table: str, url: str, ca_file: str | None) -> HttpCaller:
    path = beside(source, f"{table}.ca_file", ca_file) if ca_file else None
    try:
        return HttpCaller(url, ca_file=path)
    except OSError as error:
        raise FileFaults(str(source), [f"{table}.ca_file: {path} can't be read: {error.strerror}"]) from error
    except ValueError as error:
        raise FileFaults(str(source), [f"{table}.ca_file: {path} {error}"]) from error
