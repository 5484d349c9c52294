"""MicroPython's source, and the libraries its rp2 port needs, from the Debian archive.

The machine's own apt state stays as it is: the package lists and downloads of this module live in a folder of their
own, and the machine's sources only tell which mirror to ask. Signatures are checked as apt always does.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from workplace import ToolError, need, run, say

SUITE = "trixie"  # its micropython, pico-sdk and tinyusb fit each other; sid's do not
PUBLIC_MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_RELEASES = {"bookworm", "trixie", "forky", "duke", "sid", "stable", "testing", "unstable", "oldstable"}
_FOREIGN = re.compile(r"raspb|ubuntu|security|cdrom", re.IGNORECASE)  # Debian-like, but not the Debian archive
_ONE_LINE = re.compile(r"^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One archive that the machine's apt asks."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def from_list(text: str) -> list[Source]:
    """The binary archives of a one-line-style file (sources.list)."""
    sources = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match is None or match[1] != "deb":
            continue
        options = dict(word.partition("=")[::2] for word in (match[2] or "").split())
        sources.append(Source(match[3], (match[4],), tuple(match[5].split()), options.get("signed-by", "")))
    return sources


def from_deb822(text: str) -> list[Source]:
    """The enabled binary archives of a deb822-style file (*.sources)."""
    sources = []
    for fields in _stanzas(text):
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false")
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
        for uri in fields.get("uris", "").split():
            sources.append(Source(uri, tuple(suites), tuple(components), fields.get("signed-by", "").strip()))
    return sources


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def mirrors(sources: Iterable[Source]) -> list[str]:
    """The mirrors of the Debian archive among the sources, most certain first; empty when there is none."""
    found = [s for s in sources if _is_debian(s)]
    found.sort(key=lambda s: "debian-archive" not in s.signed_by)
    return list(dict.fromkeys(s.uri.rstrip("/") for s in found))


def _is_debian(source: Source) -> bool:
    releases = {suite.partition("-")[0] for suite in source.suites}
    return "main" in source.components and bool(releases & _RELEASES) and not _FOREIGN.search(source.uri)


def machine_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """What the machine's apt is told to ask."""
    parts = etc / "sources.list.d"
    found = []
    for path in (etc / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))):
        if path.is_file():
            parse = from_deb822 if path.suffix == ".sources" else from_list
            found += parse(path.read_text(errors="replace"))
    return found


def without_credentials(uri: str) -> str:
    """The address as it may be shown."""
    return urlsplit(uri).hostname or uri


class Archive:
    """The Debian archive through a private apt state in the folder `room`."""

    def __init__(self, room: Path, log: Path) -> None:
        self.room, self.log = room, log
        self._config = room / "apt.conf"

    def open(self) -> None:
        """Fetch the package lists from the first mirror that has them."""
        need({"apt-get": "apt", "dpkg-deb": "dpkg"})
        if not KEYRING.is_file():
            raise ToolError(f"{KEYRING} is missing, so nothing from Debian can be verified.\n"
                            "Run: apt-get install debian-archive-keyring")  # fmt: skip
        own = mirrors(machine_sources())
        if not own:
            say(f"  no Debian mirror among this machine's apt sources; asking {without_credentials(PUBLIC_MIRROR)}")
        fault = ToolError("no mirror")
        for mirror in dict.fromkeys([*own, PUBLIC_MIRROR]):
            say(f"  Debian {SUITE}: package lists from {without_credentials(mirror)}")
            self._configure(mirror)
            try:
                self._apt("update", "--error-on=any")
                return
            except ToolError as error:
                fault = error
                say("  that mirror does not have them")
        raise ToolError(f"{fault}\nIf a key is missing there: apt-get install debian-archive-keyring (a newer one).")

    def source(self, package: str) -> list[Path]:
        """Download a source package; its files."""
        folder = self._folder(package)
        self._apt("source", "--download-only", package, cwd=folder)
        return sorted(folder.iterdir())

    def binary(self, package: str) -> Path:
        """Download a binary package and unpack it; the folder with its files."""
        folder = self._folder(package)
        self._apt("download", package, cwd=folder)
        (deb,) = folder.glob("*.deb")
        run(["dpkg-deb", "-x", deb, folder / "files"], self.log)
        return folder / "files"

    def _folder(self, package: str) -> Path:
        folder = self.room / package
        folder.mkdir()
        return folder

    def _configure(self, mirror: str) -> None:
        options = f"[arch={_answer('dpkg', '--print-architecture').strip()} signed-by={KEYRING}]"
        kinds = ("deb", "deb-src")
        (self.room / "sources.list").write_text("".join(f"{kind} {options} {mirror} {SUITE} main\n" for kind in kinds))
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.room / folder).mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)  # a proxy's address may hold a password
        self._config.write_text(private_config(_answer("apt-config", "dump"), self.room))

    def _apt(self, *words: str, cwd: Path | None = None) -> None:
        run(["apt-get", "-q", "-y", *words], self.log, cwd=cwd, env={"APT_CONFIG": os.fspath(self._config)})


def private_config(dump: str, room: Path) -> str:
    """An apt configuration of our own. It keeps how this machine reaches mirrors (proxies), but no hooks or indices."""
    kept = [line for line in dump.splitlines() if re.match(r"Acquire::(?!IndexTargets|Languages)\w", line)]
    own = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": room / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": room / "lists",
        "Dir::Cache": room / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return "\n".join([*kept, *(f'{name} "{value}";' for name, value in own.items())]) + "\n"


def _answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def unpack(archive: Path, folder: Path) -> None:
    """The contents of an upstream tarball, without its outer folder."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = staticmethod(tarfile.data_filter)
        for member in tar:
            _, _, member.name = member.name.partition("/")
            if member.islnk():
                _, _, member.linkname = member.linkname.partition("/")
            if member.name:
                tar.extract(member, folder)


def upstream_tarball(files: Iterable[Path]) -> Path:
    """The one .orig.tar.* among the files of a source package."""
    (found,) = [path for path in files if ".orig.tar." in path.name and not path.name.endswith(".asc")]
    return found
