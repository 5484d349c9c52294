"""``fluksometer p1`` as a person uses it."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS
from host.rig import environment

from fluksometer import cli
from fluksometer.domain import p1_dialect

GOOD = TELEGRAMS["dsmr5"]
BAD = GOOD.replace(b"(230.4*V)", b"(330.4*V)")


def p1(*arguments, data=b""):
    return subprocess.run(
        [sys.executable, "-m", "fluksometer", "p1", *map(str, arguments)],
        input=data,
        capture_output=True,
        timeout=30,
        env=environment(),
    )


@pytest.fixture
def piped(monkeypatch):
    def pipe(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    return pipe


def test_from_a_pipe_in_the_shape_that_stays():
    done = p1(data=b"\xffnoise" + GOOD + BAD + TELEGRAMS["dsmr2"])
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert (first["dialect"], first["meter_id"], first["crc"]) == ("dsmr5", "E0050000000000050", "ok")
    assert first["time"] == "2026-08-01T10:34:56+00:00"
    assert first["registers"]["1-0:1.8.1"] == {"value": 4512.338, "unit": "kWh"}
    (gas,) = first["mbus"]
    assert (gas["channel"], gas["type"], gas["id"], gas["value"], gas["unit"]) == (
        *(1, "gas", "G0050000000000050"),
        *(2310.107, "m3"),
    )
    assert gas["time"] == "2026-08-01T10:30:00+00:00"
    assert (second["crc"], second["time"], "net" in second) == ("none", None, False)
    assert done.stderr.decode() == "fluksometer: 1 bad of 3 telegrams: 1 wrong CRC\n"


def test_from_a_file(tmp_path, capsys):
    (tmp_path / "capture").write_bytes(GOOD[:-2])  # and no last line end
    assert cli.main(["p1", str(tmp_path / "capture"), "--net"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["net"] == {"energy_wh": 4868292.0, "power_w": 244.0}
    assert shown.err == ""


def test_nothing_good_in_it_is_a_failure(piped, capsys):
    for data, text in ((b"", "no telegram in this"), (BAD, "1 bad of 1"), (GOOD[:50], "1 cut off")):
        piped(data)
        assert cli.main(["p1", "-"]) == 1
        shown = capsys.readouterr()
        assert shown.out == "" and text in shown.err


def test_a_file_that_is_not_there(capsys):
    assert cli.main(["p1", "nowhere"]) == 2
    assert capsys.readouterr().err == "nowhere: cannot be read: No such file or directory\n"


def test_the_key_by_option_and_by_file(tmp_path, piped, capsys):
    (tmp_path / "key").write_text(LUXEMBOURG_KEY.hex().upper() + "\n")
    for how in (["--key", LUXEMBOURG_KEY.hex()], ["--key-file", str(tmp_path / "key")]):
        piped(LUXEMBOURG_FRAME)
        assert cli.main(["p1", *how]) == 0
        assert json.loads(capsys.readouterr().out)["dialect"] == "luxembourg"
    piped(LUXEMBOURG_FRAME)
    assert cli.main(["p1", "--key", "00" * 16]) == 1
    assert "encrypted with another key, or damaged" in capsys.readouterr().err
    piped(LUXEMBOURG_FRAME)
    assert cli.main(["p1"]) == 1
    assert "encrypted, and no key" in capsys.readouterr().err


def test_another_authentication_key(piped, capsys):
    piped(LUXEMBOURG_FRAME)
    assert cli.main(["p1", "--key", LUXEMBOURG_KEY.hex(), "--authentication-key", "00" * 16]) == 1
    assert "encrypted with another key" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["secret", "00" * 15, "zz" * 16])
def test_what_is_no_key_is_refused_and_not_repeated(text, tmp_path, capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["p1", "--key", text])
    assert raised.value.code == 2
    shown = capsys.readouterr().err
    assert "a key is 32 hex digits" in shown and text not in shown
    (tmp_path / "key").write_text(text)
    assert cli.main(["p1", "--key-file", str(tmp_path / "key")]) == 2
    shown = capsys.readouterr().err
    assert "a key is 32 hex digits" in shown and text not in shown
    assert cli.main(["p1", "--key-file", str(tmp_path / "none")]) == 2


def test_the_help_names_every_dialect(capsys):
    with pytest.raises(SystemExit):
        cli.main(["p1", "--help"])
    shown = capsys.readouterr().out
    for name in (*p1_dialect.TARIFF_NAMES, "luxembourg", "sweden", "hungary", "austria", "switzerland", "iskra-ie"):
        assert name in shown


def test_a_live_pipe_is_printed_as_it_comes():
    command = [sys.executable, "-m", "fluksometer", "p1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        process.stdin.write(GOOD)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["crc"] == "ok"  # while the pipe is still open
        process.stdin.close()
        assert process.wait(10) == 0
