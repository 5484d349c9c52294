"""`tools/firmware`: which image it yields, and what it refuses."""

import contextlib
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.uf2_files import micropython_uf2

import firmware_cli as cli
import firmware_uf2 as uf2
import workplace
from firmware_build import LIBRARIES, Workshop, check_version, missing_libraries
from firmware_download import download, image_address

TAG = workplace.micropython_tag()
NOWHERE = "http://127.0.0.1:9"  # the discard port: refuses at once


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test writes to the real cache."""
    monkeypatch.setattr(cli, "build_room", lambda: tmp_path / "room")
    return tmp_path / "room"


@pytest.fixture
def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("it tried to build")

    monkeypatch.setattr(Workshop, "image", refuse)


def test_the_version_is_pinned_in_one_place_only() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", TAG)
    files = subprocess.run(
        ["git", "ls-files", "--", "tools", "native", "flash.sh", "pyproject.toml", ".ci"],
        cwd=workplace.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    texts = {
        name: (workplace.ROOT / name).read_text(errors="replace") for name in files if (workplace.ROOT / name).is_file()
    }
    again = [name for name, text in texts.items() if re.search(rf"(?<![\d.]){re.escape(TAG)}(?![\d.])", text)]
    assert again == [], "the version belongs in micropython.tag"


def test_the_cached_image_needs_no_network(tmp_path: Path, no_build: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "download", lambda *_: pytest.fail("it asked the network"))
    cached = tmp_path / f"RPI_PICO-{TAG}.uf2"
    cached.write_bytes(micropython_uf2(TAG))
    assert cli.image(cli.Request(cache=tmp_path)) == cached


def test_a_bad_image_in_the_cache_is_put_aside(
    tmp_path: Path, no_build: None, capsys: pytest.CaptureFixture[str]
) -> None:
    cached = tmp_path / f"RPI_PICO-{TAG}.uf2"
    cached.write_bytes(micropython_uf2(TAG)[:-512])
    assert cli.image(cli.Request(cache=tmp_path, may_build=False, site=NOWHERE)) is None
    assert not cached.exists() and cached.with_suffix(".bad").exists()
    assert "truncated" in capsys.readouterr().err


def test_a_maker_s_own_image_comes_first(tmp_path: Path, no_build: None, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.uf2"
    own.write_bytes(micropython_uf2("9.9.9"))
    assert cli.image(cli.Request(given=own, cache=tmp_path)) == own
    said = capsys.readouterr().err
    assert "9.9.9" in said and TAG in said


def test_the_environment_names_an_image_and_the_command_line_wins() -> None:
    env = {"FLUKSOMETER_IMAGE": "a.uf2"}
    assert cli.arguments([], env).given == Path("a.uf2")
    assert cli.arguments(["--from", "b.uf2"], env).given == Path("b.uf2")


def test_the_path_is_the_last_line_of_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.uf2"
    own.write_bytes(micropython_uf2(TAG))
    assert cli.main(["--from", str(own)], {}) == 0
    assert capsys.readouterr().out == f"{own}\n"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no image at"), (b"", "empty"), (micropython_uf2(TAG, uf2.RP2350), "RP2350")]
)
def test_a_wrong_image_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.uf2"
    if content is not None:
        own.write_bytes(content)
    assert cli.main(["--from", str(own)], {}) == 1
    assert reason in capsys.readouterr().err


def test_no_network_costs_one_line_and_leaves_nothing(
    tmp_path: Path, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.image(cli.Request(cache=tmp_path / "cache", may_build=False, site=NOWHERE)) is None
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "Traceback" not in said[1]
    assert not (tmp_path / "cache").exists() and list(room.glob("*.part")) == []


@contextlib.contextmanager
def site(folder: Path) -> Iterator[str]:
    """The folder as a web site."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def official_site(folder: Path, image: bytes) -> Path:
    """What micropython.org looks like from here: a page per board that names images of many versions."""
    page = folder / "download/RPI_PICO/index.html"
    file = folder / f"resources/firmware/RPI_PICO-20250102-v{TAG}.uf2"
    for path in (page, file):
        path.parent.mkdir(parents=True)
    page.write_text(
        f'<a href="/resources/firmware/RPI_PICO-20240101-v1.0.0.uf2"><a href="/resources/firmware/{file.name}">'
    )
    file.write_bytes(image)
    return folder


def test_the_official_image_is_downloaded_and_kept(tmp_path: Path, no_build: None) -> None:
    with site(official_site(tmp_path / "site", micropython_uf2(TAG))) as address:
        found = cli.image(cli.Request(cache=tmp_path / "cache", site=address))
    assert found == tmp_path / "cache" / f"RPI_PICO-{TAG}.uf2"
    assert uf2.check(found, uf2.RP2040) == TAG


def test_a_download_that_is_no_image_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with site(official_site(tmp_path / "site", b"<html>please log in</html>")) as address:
        assert cli.image(cli.Request(cache=tmp_path / "cache", site=address, may_build=False)) is None
    assert "not a UF2 file" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_an_image_of_another_version_or_board_is_not_taken() -> None:
    page = (
        "/resources/firmware/RPI_PICO_W-20250102-v1.2.3.uf2 /resources/firmware/RPI_PICO-20250102-v1.2.3-preview.4.uf2"
    )
    assert image_address(page, "RPI_PICO", "1.2.3") is None


def test_a_site_that_does_not_list_it_is_a_reason(tmp_path: Path) -> None:
    with site(official_site(tmp_path / "site", b"")) as address:
        assert "lists no" in str(download("RPI_PICO", "0.0.1", tmp_path / "x", address))


def mpy_tree(folder: Path, version: str, prerelease: int = 0) -> Path:
    """The least that counts as a MicroPython source tree."""
    numbers = zip(("MAJOR", "MINOR", "MICRO"), version.split("."), strict=True)
    (folder / "py").mkdir(parents=True)
    lines = [f"#define MICROPY_VERSION_{name} {number}" for name, number in numbers]
    (folder / "py/mpconfig.h").write_text("\n".join([*lines, f"#define MICROPY_VERSION_PRERELEASE {prerelease}", ""]))
    return folder


def test_with_an_own_source_tree_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "download", lambda *_: pytest.fail("it asked the network"))
    built: list[str] = []
    monkeypatch.setattr(Workshop, "image", lambda _self, board, *_: built.append(board))
    assert cli.image(cli.Request(cache=tmp_path, own_source=True)) == tmp_path / f"RPI_PICO-{TAG}.uf2"
    assert built == ["RPI_PICO"]


def test_a_maker_s_own_source_tree_is_used_when_it_fits(tmp_path: Path) -> None:
    tree = mpy_tree(tmp_path / "own", TAG)
    assert Workshop(tmp_path, {"MICROPYTHON_DIR": str(tree)}).source() == tree


@pytest.mark.parametrize(("version", "prerelease", "said"), [("1.0.0", 0, "1.0.0"), (TAG, 1, "-preview")])
def test_a_source_tree_of_another_version_is_refused(tmp_path: Path, version: str, prerelease: int, said: str) -> None:
    with pytest.raises(workplace.ToolError, match=said):
        check_version(mpy_tree(tmp_path / "own", version, prerelease), TAG)


def test_a_folder_without_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(workplace.ToolError, match=r"no MicroPython source tree"):
        check_version(tmp_path, TAG)


def test_a_maker_s_own_tree_is_never_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_build.need", lambda _: None)
    tree = mpy_tree(tmp_path / "own", TAG)
    with pytest.raises(workplace.ToolError, match=r"submodules"):
        Workshop(tmp_path, {"MICROPYTHON_DIR": str(tree)}).image("RPI_PICO", uf2.RP2040, tmp_path / "x.uf2")
    assert missing_libraries(tree) == list(LIBRARIES)


def test_the_command_runs_by_itself() -> None:
    done = subprocess.run([sys.executable, workplace.ROOT / "tools/firmware", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--from" in done.stdout


def test_the_image_that_was_made_is_whole(image: Path) -> None:
    assert uf2.check(image, uf2.RP2040, TAG) == TAG
