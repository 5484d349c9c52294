"""Who may import whom: reads every import and #include and names the forbidden ones. A test runs it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STANDARD = set(sys.stdlib_module_names)
NATIVE = {"metering", "pulses", "telegram"}
MICROPYTHON = {"machine", "rp2", "network", "uctypes", "micropython", "vfs"}

# Board: what a file of each room may import beside its own room.
BOARD_ROOMS = {
    "shared": {"struct", "binascii", "micropython"},
    "meter": {"shared", "array", "asyncio", "binascii", "gc", "struct", "time", "micropython"} | NATIVE,
    "": {"meter", "shared", "pins", "pulses", "wiring", "gc"}
    | MICROPYTHON
    | (STANDARD & {"asyncio", "os", "select", "struct", "sys", "time"}),
}

# Host: layers, inner first. A module imports its own layer (except where SIDES keeps siblings apart) and those before it.
HOST_LAYERS = [
    {"shared"},
    {"command", "faults"},
    {"domain", "config", "ports", "errors", "metering", "recording", "topics", "_metering"}
    | {
        "config_foreign",
        "config_home",
        "config_influx",
        "config_mqtt",
        "config_p1",
        "config_pulses",
        "config_sensors",
        "config_serial",
        "config_server",
        "config_tmpo",
        "config_upload",
        "config_values",
        "config_web",
        "mqtt_tls",
        "p1_keys",
    }
    | {"whole_file", "telegram", "_telegram"},
    {"link_session", "storage", "outbox", "sinks", "http_call"},
    {"adapters", "web"},
    {
        "calibrator",
        "capture_desk",
        "config_desk",
        "foreign_desk",
        "health_desk",
        "home_assistant_desk",
        "linearity_tables",
        "live_recording",
        "mdns_desk",
        "p1_desk",
        "panel_desk",
        "radio_desk",
        "serial_desk",
        "server_desk",
        "upload_desk",
    },
    {"desks", "history", "intake", "keeper", "tmpo_desk", "uplinks"},
    {"service"},
    {"cli", "commands", "tmpo_words", "__main__"},
]
SIDES = {"adapters", "storage"}  # modules of these rooms know nothing of each other
FORBIDDEN = {"adapters": {"storage"}, "web": {"adapters", "storage"}}  # what they store goes through the service
STORAGE_KNOWS = {"domain", "errors", "storage"}
PURE = {
    "shared": set(),
    "domain": {"asyncio", "logging", "socket", "threading", "time", "os", "serial", "paho", "structlog"},
}
PURE["link_session"] = PURE["domain"]


def imports(path: Path, package: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import; a relative one is resolved in ``package`` (for a package: with the names taken)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module or "")).rstrip(".")
            if module.count(".") < 2 and module.split(".")[0] == "fluksometer":
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def board_faults() -> Iterator[str]:
    """Forbidden imports in board/."""
    for path in sorted((ROOT / "board").rglob("*.py")):
        room = path.parent.name if path.parent.name != "board" else ""
        for line, name in imports(path, (room,)):
            top = name.split(".")[0]
            if top != room and top not in BOARD_ROOMS[room]:
                yield f"{path.relative_to(ROOT)}:{line}: board/{room or 'wiring.py'} may not import {name}"


def layer_of(module: str) -> int | None:
    """Index of the layer that a top module of the bridge belongs to."""
    for index, layer in enumerate(HOST_LAYERS):
        if module in layer or (module.endswith("_command") and "commands" in layer):
            return index
    return None


def host_faults() -> Iterator[str]:
    """Forbidden imports in host/fluksometer."""
    base = ROOT / "host/fluksometer"
    for path in sorted(base.rglob("*.py")):
        parts = path.relative_to(base).with_suffix("").parts
        if parts[0] in ("shared", "__init__"):
            continue
        own = layer_of(parts[0])
        where = path.relative_to(ROOT)
        if own is None:
            yield f"{where}: no layer in tools/check_rooms.py: say where it belongs"
            continue
        for line, name in imports(path, ("fluksometer", *parts[:-1])):
            yield from _host_import_faults(f"{where}:{line}", parts, own, name)


def _host_import_faults(where: str, parts: tuple[str, ...], own: int, name: str) -> Iterator[str]:
    top = name.split(".")[0]
    if top in ("house", "tools", "tests", "meter"):
        yield f"{where}: the bridge may not import {name}"
    elif top in PURE.get(parts[0], set()):
        yield f"{where}: {parts[0]} decides and does no I/O: {name}"
    elif top == "fluksometer" and len(name.split(".")) > 1:
        target = name.split(".")[1]
        layer = layer_of(target)
        if target in FORBIDDEN.get(parts[0], set()) or (parts[0] == "storage" and target not in STORAGE_KNOWS):
            yield f"{where}: {parts[0]} may not import {name}"
        elif layer is not None and layer > own:
            yield f"{where}: {parts[0]} may not import {name}: arrows point inwards"
        elif target == parts[0] and target in SIDES and name.split(".")[2:3] != list(parts[1:2]) and len(parts) > 1:
            yield f"{where}: modules of {target} may not import each other: {name}"


def native_faults() -> Iterator[str]:
    """Cores include stdint.h and their module's header; only the glue knows MicroPython."""
    for path in sorted((ROOT / "native").rglob("*.[ch]")):
        allowed = {"stdint.h", f"{path.parent.name}.h"}
        if path.stem.endswith("_mpy"):
            allowed.add("py/dynruntime.h")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if found and found[1] not in allowed:
                yield f"{path.relative_to(ROOT)}:{number}: may not include {found[1]}"


def faults() -> list[str]:
    """All of them, one line each."""
    return [*board_faults(), *host_faults(), *native_faults()]


if __name__ == "__main__":
    found = faults()
    print("\n".join(found) or "every import points where it may")
    sys.exit(1 if found else 0)
