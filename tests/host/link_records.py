"""Records of a board as bytes, and sessions that stand at some point of their conversation."""

from dataclasses import replace

from fluksometer.domain.readings import BoardSettings
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, records
from fluksometer.shared.deframer import LineDeframer

WANTED = BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24)


def settings_values(settings):
    return [getattr(settings, field[0]) for field in records.SETTINGS.fields]


def record(kind, seq, payload=b"", prev=None):
    """``seq`` 0: it passes. A kept one follows the number before its own unless ``prev`` is given."""
    return bytes(frame.to_host(frame.seal(kind, seq, payload, max(0, seq - 1) if prev is None else prev)))


def hello(newest=0, *, boot_id=7, wire=frame.WIRE_VERSION, rate_hz=20_000, t_us=1_000_000, crcs=(0, 0), pairs=0):
    wanted = replace(WANTED, rate_hz=rate_hz, pairs=pairs)
    values = (wire, 0, 1, 0, 1, 26, 1, 1, 1, boot_id, 1, *settings_values(wanted), *crcs, t_us)
    return record(records.HELLO.kind, 0, records.HELLO.pack(*values, "Pico"), newest)


def pulse(seq=0, count=1, *, prev=None, t_us=2_000_000):
    return record(records.PULSE.kind, seq, records.PULSE.pack(4, t_us, count, 1_000_000, 0, 0, 0), prev)


def clamp(seq, *, prev=None, t_us=2_000_000):
    values = (1, 7, 20_000, t_us, 0, 0, 0, 0, 20_000, 50_000, 0, 0, 0, 50)
    return record(records.CLAMP.kind, seq, records.CLAMP.pack(*values), prev)


def log(newest=0, t_us=2_000_000):
    """It passes."""
    return record(records.LOG.kind, 0, records.LOG.pack(2, t_us, "careful"), newest)


def opened(position=None):
    session = LinkSession(WANTED, position=position)
    session.open(0.0)
    return session


def known(*taken, now_s=0.0):
    """A session that has greeted a board, and taken these."""
    session = opened()
    session.feed(hello() + b"".join(taken), now_s)
    session.data_to_send()
    return session


def kinds(events):
    return [type(event) for event in events]


def sent(session):
    """(name, payload) of the records the session wants sent."""
    data = session.data_to_send()
    assert b"\x03" not in data
    return [(records.TO_BOARD[kind].name, payload) for kind, _seq, _prev, payload in LineDeframer().push(data)]


def asked(session):
    """Names of the records the session wants sent, acknowledgements left out."""
    return [name for name, _payload in sent(session) if name != "ack"]


def acks(session):
    """(boot id, number, resume) of the acknowledgements the session wants sent; nothing else may be there."""
    answers = sent(session)
    assert {name for name, _payload in answers} <= {"ack"}
    return [records.ACK.unpack(payload) for _name, payload in answers]
