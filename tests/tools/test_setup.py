"""`tools/setup.sh`: what it says where it cannot go on, and that it stays quiet when there is nothing to do."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import workplace

BASICS = (
    "bash",
    "cat",
    "cut",
    "date",
    "dirname",
    "env",
    "grep",
    "head",
    "id",
    "mkdir",
    "sed",
    "sha256sum",
    "tail",
    "tr",
    "wc",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with nothing set up, on a machine with only basic commands: see run()."""
    root = tmp_path / "my clone"
    (root / "tools").mkdir(parents=True)
    (root / "native/metering").mkdir(parents=True)
    for name in ("tools/setup.sh", "micropython.tag", "pyproject.toml"):
        shutil.copy(workplace.ROOT / name, root / name)
    (tmp_path / "bin").mkdir()
    for name in BASICS:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return root


def command(clone: Path, name: str, text: str) -> Path:
    """Puts a command on the machine (or into the clone, when the name is a path)."""
    path = clone / name if "/" in name else clone.parent / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(clone: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(clone.parent / "bin"), "HOME": str(clone.parent)}
    return subprocess.run([clone / "tools/setup.sh", *parts], env=env, capture_output=True, text=True, timeout=30)


def test_an_unknown_part_is_refused_with_the_list(clone: Path) -> None:
    done = run(clone, "pyton")
    assert done.returncode == 1 and "python toolchain image native broker" in done.stderr


def test_an_old_python_is_named_with_the_remedy(clone: Path) -> None:
    command(clone, "python3", '[ "$1" = -V ] && echo Python 3.9.2; exit 1')
    done = run(clone, "python")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; python3 here is Python 3.9.2" in done.stderr and "PYTHON" in done.stderr


def test_a_machine_without_apt_is_told_what_to_install(clone: Path) -> None:
    done = run(clone, "toolchain")
    assert done.returncode == 1
    assert "no apt-get here" in done.stderr and "gcc-arm-none-eabi" in done.stderr


def test_a_missing_venv_module_is_installed_by_name_or_named(clone: Path) -> None:
    command(clone, "python3", 'case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac')
    command(clone, "gcc", "")
    done = run(clone, "python")
    assert done.returncode == 1 and "python3-venv" in done.stderr


def test_a_failed_step_shows_the_end_of_its_output(clone: Path) -> None:
    command(clone, "apt-get", "echo E: Unable to fetch; exit 100")
    command(clone, "apt-cache", "exit 0")
    command(clone, "sudo", 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"')
    done = run(clone, "toolchain")
    assert done.returncode == 1
    assert "E: Unable to fetch" in done.stderr and ".cache/setup.log" in done.stderr


def test_package_lists_are_only_updated_for_an_unknown_package(clone: Path) -> None:
    log = clone.parent / "apt.log"
    command(clone, "apt-get", f'echo "$*" >>"{log}"')
    command(clone, "apt-cache", "exit 0")
    command(clone, "sudo", 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"')
    run(clone, "toolchain")
    assert " update" not in log.read_text()
    command(clone, "apt-cache", "exit 100")
    log.unlink()
    assert run(clone, "toolchain").returncode == 0
    update, install = log.read_text().splitlines()
    assert update.endswith(" update") and "gcc-arm-none-eabi" in install


def in_place(clone: Path) -> None:
    """What setup leaves behind when python and image are done."""
    command(clone, ".venv/bin/python", "")
    command(clone, ".venv/bin/fluksometer", "")
    image = clone / ".cache/firmware" / f"RPI_PICO-{workplace.micropython_tag()}.uf2"
    image.parent.mkdir(parents=True)
    image.touch()
    stamp = f"{clone}\n".encode() + (clone / "pyproject.toml").read_bytes()
    (clone / ".cache/stamps").mkdir()
    (clone / ".cache/stamps/python").write_text(hashlib.sha256(stamp).hexdigest())


def test_when_all_is_in_place_it_says_nothing_and_is_quick(clone: Path) -> None:
    in_place(clone)
    began = time.monotonic()
    done = run(clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 0.3 or os.getloadavg()[0] > 1  # s; a busy machine proves nothing


@pytest.mark.parametrize("changed", ["pyproject.toml", "native/metering/metering.c", "native/build_cffi.py"])
def test_a_change_of_what_is_installed_installs_again(clone: Path, changed: str) -> None:
    in_place(clone)
    with (clone / changed).open("a") as file:
        file.write("\n")
    assert "to do: python" in run(clone).stderr


def test_sourcing_changes_nothing_in_the_shell_that_sources(clone: Path) -> None:
    in_place(clone)
    script = f'source "{clone}/tools/setup.sh" python; echo "$- $PWD ${{root-unset}}"; false; echo on'
    done = subprocess.run(["bash", "-c", script], cwd="/", capture_output=True, text=True, check=True)
    flags, folder, root = done.stdout.splitlines()[0].split()
    assert "e" not in flags and "u" not in flags and (folder, root) == ("/", "unset")


def test_the_tools_name_an_old_python_themselves() -> None:
    for name in ("firmware", "native"):
        text = (workplace.ROOT / "tools" / name).read_text()
        assert text.index("version_info") < text.index("import main"), sys.version
