"""The typed face of the shared records: every record of docs/wire.md has a reading with its very fields."""

import dataclasses

import pytest
from host.link_records import settings_values

from fluksometer.domain import wire
from fluksometer.domain.readings import BoardSettings
from fluksometer.shared import frame, records


@pytest.mark.parametrize("layout", records.TO_HOST.values(), ids=lambda layout: layout.name)
def test_every_record_decodes_into_its_reading(layout):
    tail = "text" if layout.text else b"\x01\x02"
    values = [max(low, 1) for _name, _code, low, _high in layout.fields] + ([tail] if layout.tail else [])
    reading = wire.decode(layout.kind, layout.pack(*values))
    names = [one[0] for one in layout.fields] + ([layout.tail] if layout.tail else [])
    assert dataclasses.asdict(reading) == dict(zip(names, values, strict=True))


def test_a_field_out_of_range_is_a_range_error():
    with pytest.raises(wire.RangeError):
        wire.decode(records.PULSE.kind, bytes(records.PULSE.size))  # port 0


def test_requests_are_lines_without_control_bytes():
    wanted = BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24, voltage_port=3, pairs=0b110)
    layout, values = wire.settings(wanted)
    line = wire.line(3, layout, *values)
    kind, seq, _prev, payload = frame.unseal(frame.unline(line))
    assert (kind, seq, records.SETTINGS.unpack(payload)) == (0x81, 3, tuple(settings_values(wanted)))
    assert frame.unseal(frame.unline(wire.line(0, records.GREET))) == (0x80, 0, 0, b"")
    assert frame.unseal(frame.unline(wire.line(1, records.CAPTURE, 0b101, 900))) == (
        0x84,
        1,
        0,
        records.CAPTURE.pack(5, 900),
    )
    assert not {0x01, 0x03, 0x04} & set(line)
