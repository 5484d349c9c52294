"""`tools/native`: what is built again and what is not, and that the real modules carry no trace of this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

import native_build as native
import workplace


def project(folder: Path) -> Path:
    """A project with one module, whose make rules only copy."""
    module = folder / "native/half"
    module.mkdir(parents=True)
    (folder / "micropython.tag").write_text("1.2.3\n")
    (folder / "native/native.mk").write_text("size:\n\tmkdir -p $(BUILD)\n\tcat half.c > $(BUILD)/half.mpy\n")
    (module / "Makefile").write_text("include ../native.mk\n")
    (module / "half.c").write_text("int half(int x) { return x / 2; }\n")
    return folder


@pytest.fixture
def foundry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> native.Foundry:
    root = project(tmp_path / "project")
    monkeypatch.setattr(native.Foundry, "_report", lambda *_: None)
    return native.Foundry(root, root / ".cache", {"HOME": str(tmp_path)})


def build(foundry: native.Foundry) -> Path:
    (module,) = native.modules(foundry.root / "native")
    foundry.build(module, "x64", foundry.root, Path(sys.executable))
    return foundry.out / "x64/half.mpy"


def stale(foundry: native.Foundry) -> bool:
    return foundry.stale(foundry.root / "native/half", "x64")


def test_a_module_is_built_once(foundry: native.Foundry) -> None:
    assert stale(foundry)
    assert build(foundry).read_text() == (foundry.root / "native/half/half.c").read_text()
    assert not stale(foundry)
    assert not native.build_stale(foundry, ["x64", "armv6m"], check_only=True)
    assert native.build_stale(foundry, ["x64"], check_only=True)


@pytest.mark.parametrize(
    "changed", ["native/half/half.c", "native/half/Makefile", "native/native.mk", "native/half/new.h"]
)
def test_a_change_of_what_it_is_made_from_builds_it_again(foundry: native.Foundry, changed: str) -> None:
    build(foundry)
    with (foundry.root / changed).open("a") as file:
        file.write("\n")
    assert stale(foundry)


def test_another_micropython_builds_it_again(foundry: native.Foundry) -> None:
    build(foundry)
    (foundry.root / "micropython.tag").write_text("1.2.4\n")
    assert stale(native.Foundry(foundry.root, foundry.root / ".cache", {}))
    assert stale(native.Foundry(foundry.root, foundry.root / ".cache", {"MICROPYTHON_DIR": "/own"}))


def test_a_failure_shows_what_the_compiler_said(foundry: native.Foundry) -> None:
    (foundry.root / "native/native.mk").write_text("size:\n\techo half.c:1: no such thing && false\n")
    with pytest.raises(workplace.ToolError, match=r"half\.c:1: no such thing"):
        build(foundry)
    assert stale(foundry) and not (foundry.out / "x64/half.mpy").exists()


def test_a_clone_in_a_path_with_spaces_builds_elsewhere_and_delivers_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native.Foundry, "_report", lambda *_: None)
    root = project(tmp_path / "my meter")
    foundry = native.Foundry(root, root / ".cache", {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert build(foundry) == root / ".cache/native/x64/half.mpy"
    assert list((tmp_path / "cache/fluksometer").glob("*/native/build/x64/half/half.mpy"))


def test_where_no_path_without_spaces_is_left_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(workplace.ToolError, match="XDG_CACHE_HOME"):
        workplace.build_room(Path("/a clone"), {"HOME": "/my home"})


def test_an_unknown_architecture_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        native.main(["armv5"])
    assert "armv5" in capsys.readouterr().err


@pytest.mark.parametrize("arch", native.ARCHITECTURES)
def test_the_real_modules_are_up_to_date_and_know_no_path_of_this_clone(arch: str) -> None:
    done = subprocess.run([sys.executable, workplace.ROOT / "tools/native", arch], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for module in native.modules(workplace.ROOT / "native"):
        content = (workplace.CACHE / "native" / arch / f"{module.name}.mpy").read_bytes()
        assert content.startswith(b"M\x06")  # .mpy version 6
        assert str(workplace.ROOT).encode() not in content


def test_the_glue_comes_first_in_every_module() -> None:
    for module in native.modules(workplace.ROOT / "native"):
        (sources,) = [line for line in (module / "Makefile").read_text().splitlines() if line.startswith("SRC")]
        assert sources.split("=")[1].split()[0] == f"{module.name}_mpy.c"
