"""Formatting, lint, types, who imports whom, and what a file may look like: the rules that keep the code readable."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
from places import BIN, ROOT

import check_rooms


def _run(*command: str) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked(*patterns: str) -> list[Path]:
    """Files of the project, as git knows them, without links."""
    done = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in map(ROOT.joinpath, done.stdout.split()) if path.is_file() and not path.is_symlink()]


def test_formatting() -> None:
    _run("ruff", "format", "--check", ".")


def test_lint() -> None:
    _run("ruff", "check", ".")


def test_types() -> None:
    _run("mypy")


def test_imports_point_where_they_may() -> None:
    assert check_rooms.faults() == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("board/shared/x.py", "import asyncio", "may not import asyncio"),
        ("board/meter/x.py", "import machine", "may not import machine"),
        ("host/fluksometer/domain/x.py", "import fluksometer.adapters.serial_link", "arrows point inwards"),
        ("host/fluksometer/domain/x.py", "import asyncio", "does no I/O"),
        ("host/fluksometer/adapters/x.py", "from fluksometer.adapters import y", "may not import each other"),
        ("host/fluksometer/service.py", "import house", "the bridge may not import house"),
        ("host/fluksometer/strange.py", "import os", "say where it belongs"),
        ("native/metering/metering.c", "#include <stdlib.h>", "may not include stdlib.h"),
    ],
)
def test_the_room_check_finds_what_is_forbidden(tmp_path, monkeypatch, file, text, fault) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(check_rooms, "ROOT", tmp_path)
    assert any(fault in line for line in check_rooms.faults()), check_rooms.faults()


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py", "*.c", "*.h", "*.sh", "tools/*")
        if path.suffix != ".csv" and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 45
    ]
    assert long == []


def test_no_secret_paths_or_unfinished_places() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked("*.py", "*.c", "*.h", "*.sh", "*.md", "*.toml", "tools/*", ".ci/*", "*.mk")
        if path != Path(__file__) and path.suffix not in (".csv", ".bin")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|(^|[\s\"'=(])/(root|home)/\w", line)
    ]
    assert found == []


def test_the_vectors_are_json() -> None:
    for path in tracked("tests/vectors/*.json"):
        json.loads(path.read_text(encoding="utf-8"))
