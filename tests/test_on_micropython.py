"""The board's modules on MicroPython for Linux: every test_* of tests/both and tests/board, with the x64 native module."""

import subprocess

import pytest
from places import BIN, ROOT

FILES = sorted([*(ROOT / "tests/both").glob("test_*.py"), *(ROOT / "tests/board").glob("test_*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_on_micropython(file) -> None:
    paths = ":".join(str(path) for path in (ROOT / "board", ROOT / ".cache/native/x64", ROOT / "tests/board"))
    done = subprocess.run(
        [BIN / "micropython", ROOT / "tools/micropython_runner.py", paths, file],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok test_" in done.stdout, f"{file.name} ran no test"
