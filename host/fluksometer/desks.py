"""Which desks a configuration asks for: one for each further terminal in use."""

from pathlib import Path

from fluksometer import __version__
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.identity import Identity
from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.adapters.p1_cable import P1Cable
from fluksometer.adapters.p1_cipher import LUXEMBOURG_AUTHENTICATION_KEY, decrypter
from fluksometer.config import Config, images_dir, read_p1_keys, state_dir
from fluksometer.config_desk import ConfigDesk
from fluksometer.config_p1 import P1Table
from fluksometer.config_serial import Rs485Table
from fluksometer.domain.announcement import Listener, Listeners
from fluksometer.domain.button import FACTORY_RESET, RESTORE_NETWORK, TOGGLE_NETWORK
from fluksometer.domain.desk import Desk, Fault
from fluksometer.domain.home_assistant import Place
from fluksometer.domain.kube_topics import no_kubes
from fluksometer.domain.line_turns import LineTurns
from fluksometer.domain.told import ToldBook
from fluksometer.faults import FileFaults
from fluksometer.foreign_desk import ForeignDesk
from fluksometer.home_assistant_desk import HomeAssistantDesk
from fluksometer.mdns_desk import MdnsDesk
from fluksometer.p1_desk import P1Desk
from fluksometer.panel_desk import PanelDesk
from fluksometer.radio_desk import RadioDesk, RadioPlace
from fluksometer.serial_desk import SerialDesk


def desks_of(config: Config, identity: Identity, told: ToldBook, source: Path) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``. ``source``: the configuration's file, beside which
    relative paths begin."""
    desks: list[Desk] = [_panel_desk(config, identity)]
    if config.p1 and config.p1.enable:
        desks.append(_p1_desk(config, config.p1, identity, told, source))
    if config.radio:
        desks.append(_radio_desk(config, identity, told, source))
    if config.rs485:
        desks.append(_serial_desk(config, config.rs485, identity, told))
    desks.append(_config_desk(config, identity))
    if config.foreign:
        desks.append(_foreign_desk(config, told, source))
    desks.append(_home_assistant_desk(config, identity))
    if config.mdns.enable:
        desks.append(MdnsDesk(identity.device_id, _listeners(config)))
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


def _panel_desk(config: Config, identity: Identity) -> PanelDesk:
    panel = config.panel
    programs = {
        TOGGLE_NETWORK: panel.on_toggle,
        RESTORE_NETWORK: panel.on_restore,
        FACTORY_RESET: panel.on_reset,
    }
    return PanelDesk(identity.device_id, {action: words for action, words in programs.items() if words})


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
    mqtt = config.mqtt
    if not mqtt.embedded:
        return Listeners()
    socket = mqtt.websocket_port
    return Listeners(
        mqtt=Listener(mqtt.listen_host, mqtt.port), websockets=Listener(mqtt.listen_host, socket) if socket else None
    )


def _config_desk(config: Config, identity: Identity) -> ConfigDesk:
    return ConfigDesk(identity.device_id, None if config.radio else no_kubes(identity.device_id))


def _foreign_desk(config: Config, told: ToldBook, source: Path) -> ForeignDesk:
    taken = [f"foreign[{n}].id: {one.id} is that of a kube or a meter" for n, one in enumerate(config.foreign)
             if one.id in told.sensors]  # fmt: skip
    if taken:
        raise FileFaults(str(source), taken)
    return ForeignDesk(config.foreign, told, host_time)
