"""``fluksometer clamps``, and the same table in the documents."""

import json

from host.test_cli import fluksometer
from places import ROOT

from fluksometer import cli
from fluksometer.clamps_command import cells
from fluksometer.domain.clamp_models import clamp_models

MODELS = clamp_models()


def test_the_wiring_table_is_that_of_the_data_file():
    document = (ROOT / "docs" / "wiring.md").read_text(encoding="utf-8")
    rows = [line for line in document.splitlines() if line.startswith("| `") and line.endswith(" V |")]
    expected = [
        f"| {' | '.join((f'`{name}`', *cells(model), f'{float(model.rated_v):.2f} V'))} |"
        for name, model in MODELS.items()
    ]
    assert rows == expected


def test_the_command_shows_all():
    done = fluksometer("clamps")
    assert (done.returncode, done.stderr) == (0, "")
    for name in MODELS:
        assert f" {name} " in done.stdout


def test_the_command_tells_all_about_one(capsys):
    assert cli.main(["clamps", "sct-013-000"]) == 0
    shown = capsys.readouterr().out
    for text in ("YHDC", "100 A gives 50 mA", "20 Ω across its leads", "2.7°", 'model = "sct-013-000"'):
        assert text in shown
    assert MODELS["sct-013-000"].source in shown
    assert MODELS["sct-013-000"].phase_source in shown
    assert cli.main(["clamps", "sct-013-050"]) == 0
    shown = capsys.readouterr().out
    assert "none to add, it is inside" in shown
    assert "no source states it" in shown


def test_the_command_speaks_json(capsys):
    assert cli.main(["clamps", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["model"] for record in records] == list(MODELS)
    assert cli.main(["clamps", "ecs1030-l72", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert (record["burden_ohm"], record["a_per_v"], record["output_mv"]) == (39, 51.282, None)


def test_the_command_helps_with_a_slip_of_the_pen(capsys):
    assert cli.main(["clamps", "sct-13-50"]) == 2
    assert capsys.readouterr().err.startswith(
        "arguments: MODEL: 'sct-13-50' is not allowed: close names are sct-013-050"
    )


def test_what_it_shows_can_be_configured(tmp_path, capsys):
    (tmp_path / "meter.toml").write_text(
        '[[sensor]]\nport = 1\nfunction = "a"\nmodel = "sct-016-120"\n'
        '[[sensor]]\nport = 2\nfunction = "b"\nclamp_a = 47.6\n'
    )
    assert cli.main(["check", "-c", str(tmp_path / "meter.toml")]) == 0
    shown = capsys.readouterr().out
    assert "125 A clamp at 230 V" in shown
    assert "47.6 A clamp at 230 V" in shown
