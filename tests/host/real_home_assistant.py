"""Runs Home Assistant's core with its MQTT integration, and answers questions about it: a JSON object a line in and out.

Run by the Python of home_assistant_place.py: ``real_home_assistant.py PORT FOLDER``. The dialogue for setting MQTT up is left
out, and packages that its imports reach and MQTT does not need are stand-ins.
"""

import asyncio
import importlib.abc
import importlib.machinery
import json
import logging
import sys
import types
from pathlib import Path
from types import MappingProxyType
from unittest.mock import MagicMock

UNUSED = {"hass_nabucasa", "habluetooth", "zeroconf", "fnvhash", "psutil_home_assistant"}


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Packages that are imported and not used."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in UNUSED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__ = [], spec
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, StandIns())

from homeassistant import config_entries, core, loader  # noqa: E402
from homeassistant.auth import auth_manager_from_config  # noqa: E402
from homeassistant.components.energy import validate  # noqa: E402
from homeassistant.helpers import (  # noqa: E402  # noqa: E402
    area_registry,
    category_registry,
    entity,
    floor_registry,
    frame,
    issue_registry,
    label_registry,
    template,
    translation,
)
from homeassistant.helpers import device_registry as devices  # noqa: E402
from homeassistant.helpers import entity_registry as entities  # noqa: E402

_FLOW = "homeassistant.components.mqtt.config_flow"


class FlowHandler(config_entries.ConfigFlow, domain="mqtt"):
    """In place of the dialogue."""

    VERSION, MINOR_VERSION = 2, 1


sys.modules[_FLOW] = types.ModuleType(_FLOW)
sys.modules[_FLOW].FlowHandler = FlowHandler


class Complaints(logging.Handler):
    """What it logs as a warning or worse."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        text = record.getMessage()
        if "async_forward_entry_setups" not in text:  # of its MQTT integration about itself, now and then
            self.texts.append(f"{record.name}: {text}")


async def started(port: int, folder: Path) -> core.HomeAssistant:
    (folder / "configuration.yaml").touch()
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    for module in (loader, frame, translation, template, entity):
        module.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    hass.data[loader.DATA_CUSTOM_COMPONENTS] = {}
    for registry in (
        area_registry,
        category_registry,
        devices,
        entities,
        floor_registry,
        issue_registry,
        label_registry,
    ):
        if (loading := registry.async_load(hass)) is not None:
            await loading
    hass.auth = await auth_manager_from_config(hass, [], [])
    await hass.config_entries.async_initialize()
    hass.config.components |= {"persistent_notification", "http", "file_upload"}
    hass.set_state(core.CoreState.running)
    entry = config_entries.ConfigEntry(
        data={"broker": "127.0.0.1", "port": port, "discovery": True},
        discovery_keys=MappingProxyType({}),
        domain="mqtt",
        version=2,
        minor_version=1,
        options={},
        source="user",
        subentries_data=(),
        title="mqtt",
        unique_id=None,
    )
    await hass.config_entries.async_add(entry)
    await hass.async_block_till_done()
    assert entry.state is config_entries.ConfigEntryState.LOADED, entry.state
    return hass


def known(hass) -> dict:
    """Every entity by id, as a person sees it."""
    registry, device_registry = entities.async_get(hass), devices.async_get(hass)
    found = {}
    for entity_id, one in registry.entities.items():
        state = hass.states.get(entity_id)
        device = device_registry.async_get(one.device_id) if one.device_id else None
        found[entity_id] = {
            "id": one.id,
            "unique_id": one.unique_id,
            "state": state.state if state else None,
            "attributes": json.loads(json.dumps(dict(state.attributes), default=str)) if state else {},
            "device": device.name if device else None,
            "via": bool(device and device.via_device_id),
            "category": one.entity_category,
        }
    return found


def energy(hass, entity_id: str, kind: str) -> list[str]:
    """What the energy dashboard has against an entity as a source of this kind: its own check."""
    validate.recorder.is_entity_recorded = lambda _hass, _id: True
    issues = validate.ValidationIssues()
    known = {
        "energy": (validate.ENERGY_USAGE_DEVICE_CLASSES, validate.ENERGY_USAGE_UNITS, validate.ENERGY_UNIT_ERROR),
        "gas": (validate.GAS_USAGE_DEVICE_CLASSES, validate.GAS_USAGE_UNITS, validate.GAS_UNIT_ERROR),
        "water": (validate.WATER_USAGE_DEVICE_CLASSES, validate.WATER_USAGE_UNITS, validate.WATER_UNIT_ERROR),
    }[kind]
    validate._async_validate_usage_stat(hass, {entity_id: (1, {})}, entity_id, *known, issues)
    return sorted(issues.issues)


async def main() -> None:
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    hass = await started(int(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        await hass.async_block_till_done()
        match asked:
            case ["known"]:
                answer = known(hass)
            case ["energy", entity_id, kind]:
                answer = energy(hass, entity_id, kind)
            case ["complaints"]:
                answer, complaints.texts = complaints.texts, []
        print(json.dumps(answer), flush=True)
    await hass.async_stop(force=True)


asyncio.run(main())
