"""Kubes from the air to MQTT: paired, heard, lost and jammed, in the emulated chain with the real desk and a stranger's client.

One run, of which each test looks at one part.
"""

from collections.abc import Iterator
from itertools import count, pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from emulated.chain import DEVICE_ID, Chain
from emulated.conftest import MakeBoard

from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.domain.told import ToldBook
from fluksometer.radio_desk import RadioDesk, RadioPlace
from fluksometer.shared.kube import PAIR_GROUP, PAIR_REQUEST, collect_group
from fluksometer.shared.records import RADIO_FLUKSO
from house.air import Frame

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("kubes")]  # one worker, so that one board boots

GROUP = collect_group(DEVICE_ID)
KEY = bytes.fromhex("0123456789abcdef0123456789abcdef")
UTC_S = 1_790_000_000.0
LOSS_S = (5.0, 7.5)
JAM_S = (7.7, 8.7)
MORE_S = 2.5
HOUSE = f"""
[[clamp]]
port = 1
current_a = 10.0
[[kube]]
node = 9
start_s = 1.6
period_s = 1.1
dbm = -75
temperature_c = 21.5
movement_hz = 3.3
vibration_hz = 2.1
[[kube]]
node = 7
type = "a"
start_s = 2.5
period_s = 1.3
temperature_c = -3.25
humidity_pct = 71.3
battery_v = 2.5
movement_hz = 1.7
[[kube]]
node = 5
start_s = {JAM_S[0] + 0.1}
period_s = 0.8
temperature_c = 30.0
pressure_pa = 99000.0
light_lx = 0.0
battery_v = 2.2
[faults]
radio_jam_s = [[{JAM_S[0]}, {JAM_S[1]}]]
"""
VALUES = {  # by the node that the bridge gives: of the house's kubes, in the order in which they pair
    1: {"temperature": 21.5, "humidity": 55, "pressure": 101325, "light": 120, "battery": 2.9, "error": 0},
    2: {"temperature": -3.25, "humidity": 71.3, "battery": 2.5, "error": 0},
    3: {"temperature": 30, "humidity": 55, "pressure": 99000, "light": 0, "battery": 2.2, "error": 0},
}
UNITS = {"temperature": "°C", "humidity": "%", "pressure": "Pa", "light": "lx", "battery": "V", "error": ""}
HOUSE_NODES = {1: 9, 2: 7, 3: 5}


@pytest.fixture(scope="module")
def run(make_lasting_board: MakeBoard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """What came of some seconds."""
    folder = tmp_path_factory.mktemp("kubes")
    board = make_lasting_board(HOUSE)
    chain = Chain(board, folder, UTC_S)
    try:
        told, ids = ToldBook(), count(1)
        place = RadioPlace(DEVICE_ID, RADIO_FLUKSO, GROUP, KEY)
        desk = RadioDesk(place, KubeFile(folder), ImageFolder(folder / "images"), told, lambda: f"{next(ids):032x}")
        chain.connect(radio=RADIO_FLUKSO, radio_group=GROUP)
        chain.serve(told, desk)
        run = SimpleNamespace(board=board, chain=chain, desk=desk, air=board.pico.radio.air, folder=folder)
        chain.request("pair")
        chain.run_to(2.9)  # the second kube has asked by now, and nobody has opened the pairing again
        run.first = chain.heard()
        chain.request("pair", "20")
        chain.run_to(LOSS_S[0])
        board.wait(lambda: board.pico.radio.kubes[1].node, "the second kube", 2.0)  # it asks again if another spoilt it
        run.air.loss, run.heard_before = 0.5, desk.summary()["radio_packets"]
        chain.run_to(LOSS_S[1])
        run.air.loss, run.heard_behind = 0.0, desk.summary()["radio_packets"]
        chain.request("pair", "30")
        board.wait(lambda: board.pico.radio.kubes[2].node, "the third kube", 6.0)
        run.end_s = board.pico.nanos / 1e9 + MORE_S
        chain.run_to(run.end_s)
        run.heard = run.first + chain.heard()
        run.told = chain.told(run.heard)
        yield run
    finally:
        chain.close()


def collided(run: SimpleNamespace, sent: Frame) -> bool:
    """Whether somebody else sent at the same time, or the board until 2 ms before: its receiver was not on yet."""
    return any(
        other is not sent and other.start_s < sent.end_s and other.end_s > sent.start_s - 0.002
        for other in run.air.sent
    )


def reports(run: SimpleNamespace, node: int) -> list[Frame]:
    """Measurements and counts of a kube that were whole on the air and in its own group; some of them may have collided."""
    frames = run.board.pico.radio.sent_by(f"kube {HOUSE_NODES[node]}")
    return [one for one in frames if one.frame[:2] == bytes([GROUP, node]) and not one.lost]


def test_kubes_pair_when_somebody_asks_for_it_and_not_before(run: SimpleNamespace) -> None:
    states = [payload for topic, payload in run.heard if topic == f"/device/{DEVICE_ID}/pair"]
    assert [one["state"] for one in states] == ["open", "paired"] * 3
    assert [one["node"] for one in states[1::2]] == [1, 2, 3]
    assert [one["hw_id"] for one in states[1::2]] == [f"{node:02x}" * 16 for node in (9, 7, 5)]
    assert [one.get("state") for topic, one in run.first if topic.endswith("/pair")] == ["open", "paired"]
    for node, kube in zip((1, 2, 3), run.board.pico.radio.kubes, strict=True):
        assert (kube.group, kube.node, kube.key) == (GROUP, node, KEY)
    unheard = [one for one in run.board.pico.radio.asked if one.who == "kube 7" and one.ack_ms is None]
    assert unheard[0].packet.header == PAIR_REQUEST and unheard[0].at_s < 2.9
    config = [payload for topic, payload in run.heard if topic == f"/device/{DEVICE_ID}/config/kube"][-1]
    assert {node: (one["hw_id"], one["sw_version"]) for node, one in config.items() if node != "main"} == {
        str(node): (f"{of:02x}" * 16, 1) for node, of in HOUSE_NODES.items()
    }
    assert KubeFile(run.folder).read().node_of("05" * 16) == 3


def test_what_they_measure_is_on_mqtt_as_the_house_has_it(run: SimpleNamespace) -> None:
    gauges: dict[str, list[Any]] = {name: messages for name, messages in run.told.items() if name.endswith(" gauge")}
    wanted = {
        f"kube {node} {name} gauge": (value, UNITS[name]) for node, one in VALUES.items() for name, value in one.items()
    }
    assert set(gauges) == set(wanted)
    for name, (value, unit) in wanted.items():
        for _second, told, told_unit in gauges[name]:
            assert (float(told), told_unit) == (
                pytest.approx(value, abs=0.051 if "humidity" in name else 0.011),
                unit,
            ), name
        assert len(gauges[name]) >= 2, name


@pytest.mark.parametrize(("node", "what", "size"), [(1, "movement", 4), (1, "vibration", 2), (2, "movement", 4)])
def test_counts_are_those_of_packets_that_arrived(run: SimpleNamespace, node: int, what: str, size: int) -> None:
    """The first of each second is published; a lost one is no wrong value, and the next one makes up for it."""
    counts = [
        (one.end_s, int.from_bytes(one.frame[3:-2], "little")) for one in reports(run, node) if one.frame[2] == size
    ]
    messages = run.told[f"kube {node} {what} counter"]
    assert len(messages) >= 4 and all(earlier[1] < later[1] for earlier, later in pairwise(messages))
    for second, value, _unit in messages:
        assert value in [counted for end_s, counted in counts if second - 0.05 < end_s < second + 1.05]
    assert messages[-1][0] >= int(run.end_s) - 2


def test_lost_packets_are_counted_by_the_board_and_missing_on_mqtt(run: SimpleNamespace) -> None:
    begin_s, end_s = LOSS_S
    sent = [one for one in run.air.sent if one.who.startswith("kube")]
    lost = [one for one in sent if one.lost]
    certain = [
        one
        for node in (1, 2)
        for one in reports(run, node)
        if not collided(run, one) and begin_s < one.start_s and one.end_s < end_s - 0.05
    ]
    perhaps = [one for one in sent if not one.lost and begin_s - 0.05 < one.end_s < end_s]
    assert len(lost) >= 3
    # The board's status may be a packet or two older than the moment at which it was read.
    assert 3 <= len(certain) - 2 <= run.heard_behind - run.heard_before <= len(perhaps) + 2
    status = run.board.of("radio_status")[-1]
    assert status["bad_crc"] + status["bad_length"] >= 1
    assert not run.desk.summary()["radio_refused"] and not run.desk.summary()["radio_unknown"]


def test_in_a_jam_nothing_is_heard_and_a_kube_pairs_behind_it(run: SimpleNamespace) -> None:
    # The pairing is open from before the jam on until the kube is paired: meanwhile the board listens in that group.
    begin_s = LOSS_S[1]
    end_s = max(one.end_s for one in run.board.pico.radio.sent_by("board") if one.frame[0] == PAIR_GROUP)
    assert begin_s < JAM_S[0] and JAM_S[1] < end_s < run.end_s - 1
    for node in (1, 2):
        jammed = [
            one
            for one in run.board.pico.radio.sent_by(f"kube {HOUSE_NODES[node]}")
            if JAM_S[0] < one.start_s < JAM_S[1]
        ]
        assert jammed
        seconds = [second for name, told in run.told.items() if name.startswith(f"kube {node}") for second, *_ in told]
        assert not [second for second in seconds if begin_s + 0.1 < second and second + 1 < end_s]
        assert max(seconds) > end_s
    asked = [one for one in run.board.pico.radio.asked if one.who == "kube 5" and one.packet.header == PAIR_REQUEST]
    assert [one.answer_ms is not None for one in asked] == [False] * (len(asked) - 1) + [True]
    assert len(asked) > 1 and asked[0].at_s < JAM_S[1]


def test_the_board_and_the_bridge_lose_nothing_of_their_own(run: SimpleNamespace) -> None:
    counts = run.chain.session.counts
    assert counts.resumed <= 5 and counts.dropped == counts.refused == 0 and not run.board.of("log")
    assert {window["gap_samples"] for window in run.board.of("clamp")} == {0}
    assert run.board.pico.radio.chip.overruns == 0
