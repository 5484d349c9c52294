"""Which mirror the apt sources of a machine name, in both formats, and what else is taken from the machine."""

import io
import tarfile
from pathlib import Path

import pytest

import firmware_debian as debian
from firmware_debian import from_deb822, from_list, mirrors

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_one_line_style() -> None:
    text = f"""
# deb http://old.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib  # the nearest
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by={KEYRING}] https://signed.example/debian trixie main
deb [ arch=arm64,armhf  signed-by={KEYRING} ] https://spaced.example/debian trixie main
not a source
"""
    found = from_list(text)
    assert [s.uri for s in found] == [
        "http://mirror.example/debian/",
        "https://signed.example/debian",
        "https://spaced.example/debian",
    ]
    assert found[0].components == ("main", "contrib") and found[0].signed_by == ""
    assert found[1].suites == ("trixie",) and found[1].signed_by == found[2].signed_by == KEYRING


def test_deb822_style() -> None:
    text = f"""# the archive
Types: deb deb-src
# http://snapshot.example/debian
URIs: http://one.example/debian
  http://two.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: {KEYRING}

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
"""
    found = from_deb822(text)
    assert [s.uri for s in found] == ["http://one.example/debian", "http://two.example/debian"]
    assert found[0].suites == ("trixie", "trixie-updates") and found[0].signed_by == KEYRING


def test_deb822_with_a_key_inside() -> None:
    text = """Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 URIs: no
 -----END PGP PUBLIC KEY BLOCK-----
"""
    assert mirrors(from_deb822(text)) == ["http://mirror.example/debian"]


def one(uri: str, suite: str = "bookworm", components: str = "main", options: str = "") -> debian.Source:
    (source,) = from_list(f"deb {options} {uri} {suite} {components}")
    return source


@pytest.mark.parametrize(
    "source",
    [
        one("http://archive.raspberrypi.example/debian/"),
        one("http://raspbian.example/raspbian/", components="main contrib non-free rpi"),
        one("http://archive.ubuntu.example/ubuntu", "noble", "main universe"),
        one("http://security.example/debian-security", "bookworm-security"),
        one("https://download.docker.example/linux/debian", components="stable"),
        one("https://apt.grafana.example", "stable", "main2"),
        one("https://node.example/node_20.x", "nodistro"),
        one("cdrom:[Debian]/", "bookworm"),
    ],
    ids=lambda source: source.uri,
)
def test_what_only_looks_like_debian_is_no_mirror_of_it(source: debian.Source) -> None:
    assert mirrors([source]) == []


def test_a_machine_with_raspberry_pi_os_has_both() -> None:
    found = [one("http://archive.raspberrypi.example/debian/"), one("http://deb.debian.org/debian")]
    assert mirrors(found) == ["http://deb.debian.org/debian"]


def test_mirrors_come_once_the_signed_one_first() -> None:
    found = [
        one("http://private.example/repository", "stable"),
        one("http://mirror.example/debian/", options=f"[signed-by={KEYRING}]"),
        one("http://mirror.example/debian", "bookworm-updates", options=f"[signed-by={KEYRING}]"),
        one("mirror+file:///etc/apt/mirrors/debian.list"),
    ]
    assert mirrors(found) == [
        "http://mirror.example/debian",
        "http://private.example/repository",
        "mirror+file:///etc/apt/mirrors/debian.list",
    ]


def test_both_formats_of_a_machine_are_read(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian trixie main\n")
    (parts / "b.list").write_text("deb http://b.example/debian trixie main\n")
    (parts / "c.sources").write_text("Types: deb\nURIs: http://c.example/debian\nSuites: trixie\nComponents: main\n")
    (parts / "d.sources.disabled").write_text(
        "Types: deb\nURIs: http://d.example/debian\nSuites: trixie\nComponents: main\n"
    )
    assert mirrors(debian.machine_sources(tmp_path)) == [f"http://{name}.example/debian" for name in "abc"]


def test_a_machine_without_apt_sources_has_no_mirror(tmp_path: Path) -> None:
    assert debian.machine_sources(tmp_path) == []


class Offline(debian.Archive):
    """Records what it would have asked; every mirror but the last one fails."""

    def __init__(self, room: Path) -> None:
        super().__init__(room, room / "log")
        self.asked: list[str] = []

    def _apt(self, *words: str, cwd: Path | None = None) -> None:
        self.asked.append((self.room / "sources.list").read_text().split()[3])
        if self.asked[-1] != debian.PUBLIC_MIRROR:
            raise debian.ToolError("404")


@pytest.fixture
def with_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keyring.gpg").touch()
    monkeypatch.setattr(debian, "KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.setattr(debian, "need", lambda _: None)
    monkeypatch.setattr(debian, "_answer", lambda *_: "amd64\n")


@pytest.mark.usefixtures("with_keyring")
def test_without_a_debian_mirror_the_public_one_is_asked_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(debian, "machine_sources", lambda: [one("http://archive.ubuntu.example/ubuntu", "noble")])
    archive = Offline(tmp_path)
    archive.open()
    assert archive.asked == [debian.PUBLIC_MIRROR]
    assert "no Debian mirror among this machine's apt sources; asking deb.debian.org" in capsys.readouterr().err


@pytest.mark.usefixtures("with_keyring")
def test_a_mirror_without_the_suite_is_passed_over_and_its_password_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(debian, "machine_sources", lambda: [one("http://me:secret@private.example/debian")])
    archive = Offline(tmp_path)
    archive.open()
    assert archive.asked == ["http://me:secret@private.example/debian", debian.PUBLIC_MIRROR]
    said = capsys.readouterr().err
    assert "private.example" in said and "secret" not in said


def test_a_missing_keyring_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "KEYRING", tmp_path / "none.gpg")
    monkeypatch.setattr(debian, "need", lambda _: None)
    with pytest.raises(debian.ToolError, match="apt-get install debian-archive-keyring"):
        debian.Archive(tmp_path, tmp_path / "log").open()


def test_the_private_state_keeps_proxies_but_no_hooks(tmp_path: Path) -> None:
    dump = """APT::Update::Post-Invoke:: "rm something";
DPkg::Post-Invoke:: "rm something";
Acquire "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::IndexTargets::deb::DEP-11::MetaKey "x";
Acquire::Languages "environment";
"""
    config = debian.private_config(dump, tmp_path)
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in config
    assert "Invoke" not in config and "DEP-11" not in config and "environment" not in config
    assert f'Dir::State::lists "{tmp_path}/lists";' in config


def test_a_tarball_unpacks_without_its_outer_folder(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x_1.orig.tar.xz", "w:xz") as tar:
        for name in ("x-1/LICENSE", "x-1/py/a.h"):
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"ok"))
    files = [tmp_path / "x_1.dsc", tmp_path / "x_1.orig.tar.xz", tmp_path / "x_1.orig.tar.xz.asc"]
    debian.unpack(debian.upstream_tarball(files), tmp_path / "out")
    assert (tmp_path / "out/LICENSE").read_text() == (tmp_path / "out/py/a.h").read_text() == "ok"
