"""A real Home Assistant for the tests: its package with what its MQTT integration imports, and a Python that is new enough.

Both are fetched once into .cache (some 40 s, 500 MB): Python from Debian, for Home Assistant needs a newer one than this
project, and the packages as wheels. What has nothing to do with MQTT (cloud, Bluetooth) stays out: real_home_assistant.py.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from firmware_debian import Archive
from workplace import ToolError, alone, scratch

VERSION = "2026.2.3"  # the last that runs on Debian's Python 3.13
PLACE = ROOT / ".cache" / f"homeassistant-{VERSION}"
_PYTHON = (
    *("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("libssl3t64", "zlib1g", "libffi8", "libexpat1", "libsqlite3-0", "liblzma5", "libbz2-1.0", "libuuid1", "libzstd1"),
)
_PACKAGES = f"""
homeassistant=={VERSION} PyJWT==2.10.1 aiohappyeyeballs==2.7.1 aiohttp==3.13.3 aiohttp_asyncmdnsresolver==0.1.1
aiohttp_cors==0.8.1 aiohttp_fast_zlib==0.3.0 aiosignal==1.4.0 aiozoneinfo==0.2.3 annotatedyaml==1.0.2 anyio==4.16.0 astral==2.2
async_interrupt==1.2.2 atomicwrites_homeassistant==1.4.1 attrs==25.4.0 awesomeversion==25.8.0 bcrypt==5.0.0 certifi==2026.10.18
cffi==2.1.1 ciso8601==2.4.1 cronsim==2.7 cryptography==46.0.5 fnv_hash_fast==1.6.0 frozenlist==1.8.0 h11==0.16.0 httpcore==1.0.9
httpx==0.28.1 idna==3.20 ifaddr==0.2.0 jinja2==3.1.6 lru_dict==1.4.1 markupsafe==3.0.4 mashumaro==3.23 multidict==7.2.1
orjson==3.11.5 packaging==26.3 paho_mqtt==2.1.0 propcache==0.4.1 pycparser==3.12 python_slugify==8.0.4 pyyaml==6.0.3
sniffio==1.3.1 sqlalchemy==2.0.41 text_unidecode==1.3 typing_extensions==4.16.0 ulid_transform==1.5.2 voluptuous==0.15.2
voluptuous_openapi==0.2.0 voluptuous_serialize==2.7.0 webrtc_models==0.3.0 yarl==1.22.0
"""
_FOR_DEBIANS_PYTHON = ("--python-version", "3.13.5", "--implementation", "cp", "--ignore-requires-python")


def home_assistant() -> tuple[list[str], dict[str, str]]:
    """The command of a Python that can import Home Assistant, and its environment. Skips where it can't be had."""
    with alone("homeassistant", ROOT / ".cache"):
        if not PLACE.exists():
            try:
                _make()
            except (ToolError, subprocess.SubprocessError, OSError) as error:
                pytest.skip(f"Home Assistant can't be installed here: {error}")
    if sys.version_info >= (3, 13, 2):
        return [sys.executable], os.environ | {"PYTHONPATH": str(PLACE / "site")}
    root = PLACE / "root"
    (loader,) = {path.resolve() for path in root.glob("usr/lib*/ld-linux-*.so.*")}
    libraries = root / "usr/lib" / f"{platform.machine()}-linux-gnu"
    command = [str(loader), "--library-path", str(libraries), str(root / "usr/bin/python3.13")]
    return command, os.environ | {"PYTHONPATH": str(PLACE / "site"), "PYTHONHOME": str(root / "usr")}


def _make() -> None:
    with scratch(ROOT / ".cache", "homeassistant") as room:
        made, log = room / "made", room / "log"
        (made / "root").mkdir(parents=True)
        foreign = sys.version_info < (3, 13, 2)
        if foreign:
            archive = Archive(room, log)
            archive.open()
            for package in _PYTHON:
                shutil.copytree(archive.binary(package), made / "root", symlinks=True, dirs_exist_ok=True)
        _install(made / "site", foreign)
        made.replace(PLACE)


def _install(site: Path, foreign: bool) -> None:
    machine = platform.machine()
    tags = [f"manylinux2014_{machine}", f"manylinux_2_28_{machine}", "any"]
    options = [*_FOR_DEBIANS_PYTHON, *(word for tag in tags for word in ("--platform", tag))] if foreign else []
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--target", str(site)]
    done = subprocess.run([*command, *options, *_PACKAGES.split()], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise ToolError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed")
