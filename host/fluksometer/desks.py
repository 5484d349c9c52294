"""Which desks a configuration asks for: one for each further terminal in use."""

from pathlib import Path

from fluksometer.adapters.identity import Identity
from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.config import Config, images_dir, state_dir
from fluksometer.domain.button import FACTORY_RESET, RESTORE_NETWORK, TOGGLE_NETWORK
from fluksometer.domain.desk import Desk
from fluksometer.domain.told import ToldBook
from fluksometer.panel_desk import PanelDesk
from fluksometer.radio_desk import RadioDesk, RadioPlace


def desks_of(config: Config, identity: Identity, told: ToldBook, source: Path) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``. ``source``: the configuration's path."""
    desks: list[Desk] = [_panel_desk(config, identity)]
    if config.radio:
        desks.append(_radio_desk(config, identity, told, source))
    return desks


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
