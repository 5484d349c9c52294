"""The smart meter's port on the emulated chip: from the bits on the line to the records on the wire, and on to MQTT."""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import md5
from math import floor
from typing import Any

import pytest
from emulated.board import FirmwareBoard
from emulated.chain import Chain
from emulated.conftest import MakeBoard
from emulated.p1_truth import published

from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.domain.told import ToldBook
from fluksometer.faults import parse_toml
from fluksometer.p1_desk import P1Desk
from fluksometer.shared.p1 import NONE, OK, Parser, Telegram
from fluksometer.shared.p1_wire import decode
from fluksometer.shared.terminal_records import P1_CRC_OK, P1_FRAME
from house.housefile import House
from house.p1_dialects import DIALECTS
from house.p1_meter import Meter, Sent
from house.waves import true_power_w

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("p1")]  # one worker, so that one board boots

LOADS = """
[[clamp]]
port = 1
current_a = 4.35
power_factor = 0.98
[[clamp]]
port = 2
current_a = [[0, 2.0], [5, 31.7], [8, 2.0], [14.5, 31.7]]  # more than the others draw
power_factor = -0.9
[[clamp]]
port = 3
current_a = [[0, 1.0], [5, 10.0], [15, 4.0]]
"""
DEVICES = """
[[p1.device]]
every_s = 0.5
rate_per_h = 777.7
[[p1.device]]
type = "water"
channel = 2
id = "W"
[[p1.device]]
type = "gas"
channel = 3
id = "dead"
dead = true
[[p1.device]]
type = "heat"
channel = 4
id = "H"
start = 12.345
"""


def table(dialect: str = "dsmr5", more: str = "interval_s = 0.5", faults: str = "") -> str:
    """A house file."""
    p1 = f'[p1]\ndialect = "{dialect}"\ntariff = [[0, 1], [3, 2], [14, 1]]\n{more}\n[p1.faults]\n{faults}\n'
    return LOADS + p1 + DEVICES


def house(*given: str) -> House:
    """The house of such a file."""
    return parse_toml(table(*given), House, source="house")


def telegrams(board: FirmwareBoard) -> dict[int, tuple[dict[str, Any], bytes]]:
    """By number: the last record of each telegram that is whole, and its bytes."""
    pieces: dict[int, list[dict[str, Any]]] = {}
    for fields in board.of("p1_telegram"):
        pieces.setdefault(fields["number"], []).append(fields)
    whole = {}
    for number, group in pieces.items():
        assert [one["piece"] for one in group] == list(range(len(group)))
        assert len({(one["t_us"], one["pieces"], one["form"], one["left_out"]) for one in group}) == 1
        if len(group) == group[0]["pieces"]:
            whole[number] = (group[-1], b"".join(one["data"] for one in group))
    return whole


def read(fields: dict[str, Any], data: bytes, key: str) -> Telegram:
    """What the bridge gets out of it."""
    if fields["form"] != P1_FRAME:
        return decode(data, OK if fields["form"] == P1_CRC_OK else NONE, fields["left_out"])
    opened = decrypter(bytes.fromhex(key))(data)
    assert opened is not None
    (telegram,) = Parser().push(opened)
    assert isinstance(telegram, Telegram)
    return telegram


def next_telegram(board: FirmwareBoard, timeout_s: float = 6.0) -> tuple[Telegram, Sent]:
    """One that was sent and arrived from now on, and what the house put into it."""
    port = board.pico.p1
    sent, known = len(port.sent), set(telegrams(board))
    board.wait(lambda: len(port.sent) > sent and set(telegrams(board)) - known, "a telegram", timeout_s)
    (number,) = set(telegrams(board)) - known
    return read(*telegrams(board)[number], port.meter.p1.key), port.sent[-1]


QUIET = house("dsmr5", "interval_s = 3600")


def hang(board: FirmwareBoard, house: House) -> None:
    """This house's meter on the cable, between two telegrams."""
    assert not board.pico.p1.line.busy
    board.pico.p1.swap(Meter(house))


def status(board: FirmwareBoard) -> dict[str, Any]:
    """The next report."""
    before = len(board.of("p1_status"))
    board.wait(lambda: len(board.of("p1_status")) > before, "a report", 11.0)
    return board.of("p1_status")[-1]


def desk(key: str = "") -> tuple[ToldBook, P1Desk]:
    """A bridge's desk that has heard of no meter yet."""
    told = ToldBook()
    return told, P1Desk(
        told, lambda slot: md5(slot.encode()).hexdigest(), decrypt=decrypter(bytes.fromhex(key)) if key else None
    )


VARIANTS = [(dialect, "") for dialect, made in DIALECTS.items() if not made.slow]
VARIANTS += [("dsmr5", "unpadded_crc = true"), ("dsmr5", "invalid_clock = true"), ("emucs", "long_text = 1024")]


@pytest.fixture(scope="module")
def chain(make_lasting_board: MakeBoard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    board = make_lasting_board(table())
    assert board.house.p1 is not None
    chain = Chain(board, tmp_path_factory.mktemp("chain"), board.house.p1.clock.timestamp())
    yield chain
    chain.close()


def test_what_is_damaged_is_counted_by_name(chain: Chain) -> None:
    board, port = chain.board, chain.board.pico.p1
    chain.connect(clamp_ports=0b111, p1=1)
    chain.serve(*desk())
    house_now = house("emucs", "interval_s = 0.5", "cut_each = 4\ncorrupt_rate = 0.0004\nnoise_bytes = 40")
    hang(board, house_now)
    board.wait(lambda: len(port.sent) >= 9 and not port.line.busy, "telegrams", 10.0)
    hang(board, QUIET)
    board.run(0.7)  # until the port is sure that nothing follows
    said = status(board)
    damage = [sent.damage for sent in port.sent]
    assert {damage.count("cut"), damage.count("corrupt"), damage.count("")} & {0} == set()
    assert (said["cut"], said["bad_crc"]) == (damage.count("cut"), damage.count("corrupt"))
    assert said["telegrams"] == damage.count("") == len(telegrams(board))
    good = [sent for sent in port.sent if not sent.damage]
    assert [read(*one, "").registers for one in telegrams(board).values()] == [sent.registers() for sent in good]
    truths = [published(house_now, sent.t_s) for sent in good]
    told = chain.told()
    assert set(told) == set(truths[0])
    for name, messages in told.items():
        assert all(one[-2:] in [truth[name][-2:] for truth in truths] for one in messages), name


def test_each_dialect_arrives_with_every_register(chain: Chain) -> None:
    """From the bits on the line to what a stranger hears over MQTT."""
    board = chain.board
    chain.connect(clamp_ports=0b111, p1=1)
    for dialect, faults in VARIANTS:
        house_now = house(dialect, f"interval_s = {1 if 'long' in faults else 0.5}", faults)
        assert house_now.p1 is not None
        chain.serve(*desk(house_now.p1.key))
        hang(board, house_now)
        telegram, sent = next_telegram(board)
        wanted = [one for one in sent.registers() if one[2] is not None or len(str(one[1])) <= 96]
        assert telegram.registers == wanted, (dialect, faults)
        assert (telegram.head, telegram.crc) == (DIALECTS[dialect].head, OK)
        assert telegram.left_out == len(sent.registers()) - len(wanted)
        check_powers(house_now, telegram, sent)
        check_published(chain, house_now, sent)
    assert max(clamp["gap_samples"] for clamp in board.of("clamp")) == 0
    assert board.pico.p1.line.overrun == 0 and not board.of("log")
    counts = chain.session.counts
    # A passing record may go out before the last kept one, which is asked for then, and comes anyway.
    assert counts.records > 30 and counts.resumed <= 5 and counts.dropped == counts.refused == 0


def check_powers(house: House, telegram: Telegram, sent: Sent) -> None:
    """The powers are those of the loads on the clamps."""
    watts = [true_power_w(house, port, sent.t_s, sent.t_s + 0.001) for port in (1, 2, 3)]
    shown = {code: value for code, value, *_ in telegram.registers}
    assert house.p1 is not None
    for way, total in (("1", sum(watts)), ("2", -sum(watts))):
        power = [value for code, value in shown.items() if code in (f"1-0:{way}.7.0", f"1-1:{way}.7.0")]
        assert power == [floor(max(0.0, total)) * (1000 if house.p1.dialect == "austria" else 1)]
    if house.p1.dialect not in ("austria", "hungary"):
        for phase in range(3) if "1-0:41.7.0" in shown else ():
            ways = [shown[f"1-0:{20 * (phase + 1) + way}.7.0"] for way in (1, 2)]
            assert ways == [floor(max(0.0, watts[phase])), floor(max(0.0, -watts[phase]))]


def check_published(chain: Chain, house: House, sent: Sent) -> None:
    """The stranger heard each value that the house has, and nothing else; the latest of each, with its second."""
    assert house.p1 is not None
    latest = {name: messages[-1] for name, messages in chain.told().items()}
    wanted = published(house, sent.t_s)
    values = {name: one if len(wanted[name]) == 3 else one[1:] for name, one in latest.items() if name in wanted}
    assert (values, set(latest) - set(wanted)) == (wanted, set()), house.p1
    seconds = {latest[f"P1 {name} gauge"][0] for name in ("net", "power")}
    assert len(seconds) == 1 and seconds <= {int(sent.t_s), int(sent.t_s) + 1}


LINES = [
    ("dsmr4", "inverted = true\ninterval_s = 0.5", (115200, 1, OK, 1)),
    ("dsmr4", "inverted = false\ninterval_s = 0.5", (115200, 0, OK, 1)),
    ("dsmr2", "inverted = true\ninterval_s = 1.25", (9600, 1, NONE, 2)),
    ("dsmr3", "inverted = true\ninterval_s = 1.25", (9600, 1, NONE, 2)),
]


def test_the_line_is_found_while_the_first_telegram_comes(chain: Chain) -> None:
    """So within the 10 s that meters take from one telegram to the next, and the length of one."""
    board, port = chain.board, chain.board.pico.p1
    before = board.of("p1_status")[-1] if board.of("p1_status") else defaultdict(int)
    for dialect, line, (baud, inverted, crc, first_read) in LINES:
        hang(board, QUIET)
        chain.connect(p1=0)
        house_now = house(dialect, line)
        hang(board, house_now)
        chain.serve(*desk())
        chain.connect(p1=1)
        sent_before = len(port.sent)
        telegram, sent = next_telegram(board)
        assert (telegram.registers, telegram.crc) == (sent.registers(), crc)
        # A fast one is read at once; of a slow one the beginning goes by at the wrong speed. One may be under way already.
        assert first_read <= len(port.sent) - sent_before <= first_read + 1
        assert port.line.listens_at == (pytest.approx(baud, rel=1e-3), bool(inverted))
        if crc == NONE:
            # Nothing is believed that only one telegram said: the second confirms the meter, the third its counters.
            assert not chain.told()
            next_telegram(board)
            sent = next_telegram(board)[1]
        check_published(chain, house_now, sent)
    said = board.of("p1_status")[-1]
    said = said if said["baud"] == 9600 else status(board)
    assert (said["baud"], said["even_parity"], said["inverted"]) == (9600, 1, 1)
    bad = {name: said[name] for name in ("bad_form", "bad_crc", "cut", "bad_bytes")}
    assert bad == {name: before[name] for name in bad}
