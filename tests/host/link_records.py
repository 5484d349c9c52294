"""Records of a board as bytes, and sessions that stand at some point of their conversation."""

from dataclasses import replace

from fluksometer.domain.readings import BoardSettings
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, records
from fluksometer.shared.deframer import LineDeframer

WANTED = BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24)


def settings_values(settings):
    return [getattr(settings, field[0]) for field in records.SETTINGS_FIELDS]


def record(kind, seq, payload=b""):
    return bytes(frame.to_host(frame.seal(kind, seq, payload)))


def hello(seq=0, *, boot_id=7, wire=frame.WIRE_VERSION, rate_hz=20_000, t_us=1_000_000, crcs=(0, 0), pairs=0):
    wanted = replace(WANTED, rate_hz=rate_hz, pairs=pairs)
    values = (wire, 0, 1, 0, 1, 26, 1, 1, 1, boot_id, 1, *settings_values(wanted), *crcs, t_us)
    return record(records.HELLO.kind, seq, records.HELLO.pack(*values, "Pico"))


def pulse(seq, count=1):
    return record(records.PULSE.kind, seq, records.PULSE.pack(4, 2_000_000, count, 1_000_000, 0, 0, 0))


def clamp(seq):
    return record(
        records.CLAMP.kind, seq, records.CLAMP.pack(1, 7, 20_000, 2_000_000, 0, 0, 0, 0, 20_000, 50_000, 0, 0, 0, 50)
    )


def opened():
    session = LinkSession(WANTED)
    session.open(0.0)
    return session


def known():
    session = opened()
    session.feed(hello(), 0.0)
    session.data_to_send()
    return session


def kinds(events):
    return [type(event) for event in events]


def asked(session):
    """Names of the records the session wants sent."""
    data = session.data_to_send()
    assert b"\x03" not in data
    return [records.TO_BOARD[kind].name for kind, _seq, _prev, _payload in LineDeframer().push(data)]
