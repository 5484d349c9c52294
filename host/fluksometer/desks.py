"""Which desks a configuration asks for: one for each further terminal in use."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer import __version__
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.identity import Identity
from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.adapters.p1_cable import P1Cable
from fluksometer.adapters.p1_cipher import LUXEMBOURG_AUTHENTICATION_KEY, decrypter
from fluksometer.config import Config, images_dir, read_certificate, read_p1_keys, state_dir
from fluksometer.config_desk import ConfigDesk
from fluksometer.config_p1 import P1Table
from fluksometer.config_serial import Rs485Table
from fluksometer.config_web import WebTable
from fluksometer.domain.announcement import Listener, Listeners
from fluksometer.domain.button import FACTORY_RESET, RESTORE_NETWORK, TOGGLE_NETWORK
from fluksometer.domain.desk import Desk, Fault
from fluksometer.domain.history import History
from fluksometer.domain.home_assistant import Place
from fluksometer.domain.kube_topics import no_kubes
from fluksometer.domain.line_turns import LineTurns
from fluksometer.domain.server_light import ServerLight
from fluksometer.domain.told import ToldBook
from fluksometer.faults import FileFaults
from fluksometer.foreign_desk import ForeignDesk
from fluksometer.history import HistoryLog
from fluksometer.home_assistant_desk import HomeAssistantDesk
from fluksometer.mdns_desk import MdnsDesk
from fluksometer.p1_desk import P1Desk
from fluksometer.panel_desk import PanelDesk
from fluksometer.radio_desk import RadioDesk, RadioPlace
from fluksometer.serial_desk import SerialDesk
from fluksometer.tmpo_desk import TmpoDesk

if TYPE_CHECKING:
    from fluksometer.web.guard import Guard


def desks_of(
    config: Config,
    identity: Identity,
    told: ToldBook,
    source: Path,
    log: HistoryLog | None = None,
    server: ServerLight | None = None,
) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``. ``source``: the configuration's file, beside which
    relative paths begin. ``log``: the history, unless it is switched off. ``server``: that to which readings are uploaded, for
    the globe LED."""
    desks: list[Desk] = [_panel_desk(config, identity, server)]
    if config.p1 and config.p1.enable:
        desks.append(_p1_desk(config, config.p1, identity, told, source))
    if config.radio:
        desks.append(_radio_desk(config, identity, told, source))
    if config.rs485:
        desks.append(_serial_desk(config, config.rs485, identity, told))
    if log:
        desks.append(TmpoDesk(identity.device_id, log))
    desks.append(_config_desk(config, identity))
    if config.foreign:
        desks.append(_foreign_desk(config, told, source))
    desks.append(_home_assistant_desk(config, identity))
    if config.mdns.enable:
        desks.append(MdnsDesk(identity.device_id, _listeners(config)))
    if config.web and config.web.enable:
        desks.append(_web_desk(config, config.web, identity, source, tuple(desks), log.history if log else None))
    return desks


def _p1_desk(config: Config, p1: P1Table, identity: Identity, told: ToldBook, source: Path) -> P1Desk:
    keys = read_p1_keys(config, source)
    faults: list[Fault] = []
    if keys and keys.open_to_others:
        reason = f"{keys.open_to_others} can be read by others on this machine: chmod 600"
        faults.append(("p1_key_file", {"reason": reason}))
    return P1Desk(
        told,
        identity.id_of,
        decrypt=decrypter(keys.key, keys.authentication_key or LUXEMBOURG_AUTHENTICATION_KEY) if keys else None,
        winter_h=p1.winter_utc,
        cable=None if p1.on_board else P1Cable(p1.port, clock=host_time),
        faults=tuple(faults),
    )


def _panel_desk(config: Config, identity: Identity, server: ServerLight | None) -> PanelDesk:
    panel = config.panel
    programs = {
        TOGGLE_NETWORK: panel.on_toggle,
        RESTORE_NETWORK: panel.on_restore,
        FACTORY_RESET: panel.on_reset,
    }
    wanted = {action: words for action, words in programs.items() if words}
    return PanelDesk(identity.device_id, wanted, server=server)


def _radio_desk(config: Config, identity: Identity, told: ToldBook, source: Path) -> RadioDesk:
    assert config.radio
    settings, state = config.board_settings(identity.device_id), state_dir(config, source)
    place = RadioPlace(
        device_id=identity.device_id,
        network=settings.radio,
        group=settings.radio_group,
        key=bytes.fromhex(identity.id_of("kube key")),
    )
    return RadioDesk(place, KubeFile(state), ImageFolder(images_dir(config.radio, state, source)), told)


def _serial_desk(config: Config, line: Rs485Table, identity: Identity, told: ToldBook) -> SerialDesk:
    meters = [table.meter for table in config.modbus]
    turns = LineTurns(line.char_s, line.answer_s)
    return SerialDesk(meters, turns, tcp_port=line.tcp_port, told=told, ids=identity.id_of)


def _web_desk(
    config: Config, web: WebTable, identity: Identity, source: Path, others: Sequence[Desk], history: History | None
) -> Desk:
    # Imported here: who has no [web] needs no memory for it.
    from fluksometer.adapters.token_file import TokenFile
    from fluksometer.domain.live_sensors import LiveSensors
    from fluksometer.web.app import make_app
    from fluksometer.web.desk import Place, WebDesk
    from fluksometer.web.parts import Parts

    live = LiveSensors()

    def app(desk: WebDesk) -> "Guard":
        parts = Parts(
            device_id=identity.device_id,
            live=live,
            tokens=TokenFile(state_dir(config, source)).read,
            now_s=lambda: host_time().wall_s,
            history=history,
            price=web.price,
            health=lambda: desk.health,
            counts=lambda: {key: value for one in others for key, value in one.summary().items()},
        )
        return make_app(parts, names=web.names, origins=web.origins)

    places = [Place(web.listen, web.port)]
    if certificate := read_certificate(web, source):
        places.append(Place(web.listen, web.tls_port, certificate))
    return WebDesk(identity.device_id, live, app, places)


def _home_assistant_desk(config: Config, identity: Identity) -> HomeAssistantDesk:
    home = config.homeassistant
    polls = {table.address: table.poll_s for table in config.modbus}
    p1 = config.p1 is not None and config.p1.enable
    return HomeAssistantDesk(
        Place(device_id=identity.device_id, modern=home.form == "device", poll_s=polls),
        version=__version__,
        enable=home.enable,
        prefix=home.prefix,
        form=home.form,
        awaited=frozenset({"cosem"} if p1 else ()),
    )


def _listeners(config: Config) -> Listeners:
    mqtt, web = config.mqtt, config.web
    api = Listener(web.listen, web.port) if web and web.enable else None
    if not mqtt.embedded:
        return Listeners(api=api)
    websockets = Listener(mqtt.listen_host, mqtt.websocket_port) if mqtt.websocket_port else None
    return Listeners(api=api, mqtt=Listener(mqtt.listen_host, mqtt.port), websockets=websockets)


def _config_desk(config: Config, identity: Identity) -> ConfigDesk:
    return ConfigDesk(identity.device_id, None if config.radio else no_kubes(identity.device_id))


def _foreign_desk(config: Config, told: ToldBook, source: Path) -> ForeignDesk:
    taken = [f"foreign[{n}].id: {one.id} is that of a kube or a meter" for n, one in enumerate(config.foreign)
             if one.id in told.sensors]  # fmt: skip
    if taken:
        raise FileFaults(str(source), taken)
    return ForeignDesk(config.foreign, told, host_time)
