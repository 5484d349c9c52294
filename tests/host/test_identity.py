"""Ids: random, made once, kept; a damaged file is never papered over."""

import json
import re

import pytest

from fluksometer.adapters.identity import FILE_NAME, Identity
from fluksometer.domain.sensors import SensorClass
from fluksometer.errors import StateFault


def test_ids_are_made_once_and_kept(tmp_path):
    folder = tmp_path / "deep" / "state"
    first = Identity(folder)
    ids = [first.device_id, first.sensor_id(2, SensorClass.ANALOG), first.sensor_id(2, SensorClass.PULSE)]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    assert len(set(ids)) == 3
    again = Identity(folder)
    assert [again.sensor_id(2, SensorClass.PULSE), again.sensor_id(2, SensorClass.ANALOG), again.device_id] == ids[::-1]
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in folder.iterdir()] == [FILE_NAME]  # nothing half-written is left


def test_what_a_clamp_exports_has_an_id_of_its_own(tmp_path):
    kept = Identity(tmp_path)
    ids = [
        kept.sensor_id(1, SensorClass.ANALOG),
        kept.sensor_id(1, SensorClass.ANALOG, "export"),
        kept.sensor_id(1, SensorClass.VOLTAGE),
    ]
    assert len(set(ids)) == 3
    assert Identity(tmp_path).sensor_id(1, SensorClass.ANALOG, "import") == ids[0]  # as before there were directions
    assert Identity(tmp_path).sensor_id(1, SensorClass.ANALOG, "export") == ids[1]
    assert set(json.loads((tmp_path / FILE_NAME).read_text())["sensors"]) == {
        "1 analog",
        "1 analog export",
        "1 voltage",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        '{"device": "x", "sensors": {}}',
        '{"device": null, "sensors": {}}',
        '{"device": 1, "sensors": 2}',
    ],
)
def test_a_damaged_file_is_an_error_and_stays(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(StateFault, match="can't be understood"):
        Identity(tmp_path)
    assert (tmp_path / FILE_NAME).read_text() == text


def test_two_sensors_with_one_id_are_an_error(tmp_path):
    kept = {"device": "a" * 32, "sensors": {"1 analog": "b" * 32, "2 analog": "b" * 32}}
    (tmp_path / FILE_NAME).write_text(json.dumps(kept))
    with pytest.raises(StateFault, match="distinct"):
        Identity(tmp_path)


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    kept = Identity(tmp_path / "state")
    (tmp_path / "state").write_text("a file, not a directory")
    with pytest.raises(StateFault, match=r"can't be kept: .*\. Set device\.state"):
        _ = kept.device_id
