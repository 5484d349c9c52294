"""Which table a board gets."""

from dataclasses import replace

import pytest
from host.test_config import LEAST

from fluksometer.cli import main
from fluksometer.domain.linearity import default_table, render, steps_of
from fluksometer.faults import FileFaults
from fluksometer.linearity_tables import tables_by_chip


def test_the_default_of_each_chip_or_none(tmp_path):
    config = tmp_path / "meter.toml"
    assert tables_by_chip("none", config) == {}
    assert tables_by_chip("chip", config) == {
        1: steps_of(default_table("rp2040")),
        2: steps_of(default_table("rp2350")),
    }


def test_a_file_beside_the_configuration(tmp_path, monkeypatch):
    table = default_table("rp2350")
    (tmp_path / "table.json").write_text(render(table))
    assert tables_by_chip("table.json", tmp_path / "meter.toml") == {2: steps_of(table)}
    monkeypatch.chdir(tmp_path)
    assert tables_by_chip("table.json", tmp_path.relative_to(tmp_path) / "meter.toml") == {2: steps_of(table)}


def test_a_table_that_no_board_can_use_is_refused_with_its_file(tmp_path):
    steep = replace(default_table("rp2040"), rests=(0,) * 100 + (64 * 40,) + (0,) * 3995)
    (tmp_path / "table.json").write_text(render(steep))
    with pytest.raises(FileFaults) as caught:
        tables_by_chip("table.json", tmp_path / "meter.toml")
    (line,) = caught.value.lines()
    assert line == f"{tmp_path / 'table.json'}: no board can use it: a table rises by -120 to 135 from code to code"


def test_check_looks_at_the_table_and_tells_what_each_sensor_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    config = tmp_path / "meter.toml"
    config.write_text(LEAST + '[board]\nlinearity = "table.json"\n')
    assert main(["check", "-c", str(config)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'table.json'}: cannot be read: No such file or directory\n"
    config.write_text(
        """
        [[sensor]]
        port = 1
        function = "in"
        [[sensor]]
        port = 1
        function = "out"
        direction = "export"
        [[sensor]]
        port = 3
        function = "mains"
        adapter_v = 400.5
        [[sensor]]
        port = 4
        function = "pulse"
        """
    )
    assert main(["check", "-c", str(config)]) == 0
    out = capsys.readouterr().out
    for text in ("50 A clamp, import", "50 A clamp, export", "400.5 V of the mains give 1 V", "1 Wh per pulse"):
        assert text in out
    config.write_text(
        """
        [[sensor]]
        port = 1
        function = "house"
        phases = "3p-n"
        rule = "three-clamp"
        further_ports = [2, 3]
        """
    )
    assert main(["check", "-c", str(config)]) == 0
    out = capsys.readouterr().out
    assert "1, 2, 3" in out and "3 x 50 A clamp at 133 V, 3p-n, rule three-clamp" in out
