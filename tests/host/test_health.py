"""Each fault leads to its own message, with what helps, and is over afterwards; without a fault there is silence."""

import json
import re
from itertools import pairwise

import pytest
from host.health_house import HELLO, VOLTAGE_PORT, WALL_S, House
from host.making import make_hello
from places import ROOT

from fluksometer.domain import wire
from fluksometer.domain.keeping_health import ClockState, LedgerState, SinkState
from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    FramesDropped,
    RecordRefused,
    SettingsRefused,
    UnknownKind,
    WireVersionDiffers,
)
from fluksometer.domain.readings import BoardLog

# --- what a fault does, second by second (n counts from 0), and what ends it -------------------------------------


def sets(**values):
    def inject(house, n):
        for name, value in values.items():
            setattr(house, name, value)

    return inject


def flag(port, bits, every=1):
    def inject(house, n):
        house.flags[port] = bits if n % every == 0 else 0

    return inject


def sends(*events, every=1):
    def inject(house, n):
        if n % every == 0:
            house.send(*events)

    return inject


def once(*events):
    return sends(*events, every=10**6)


def unplugs(house, n):
    if n == 0:
        house.talks = False
        house.watch.link("/dev/ttyACM0 is not there: is the board plugged in?")


def stops(event):
    def inject(house, n):
        house.talks = False
        if n == 0:
            house.send(event)

    return inject


def reboots(cause):
    def inject(house, n):
        if n == 0:
            house.hello = make_hello(boot_id=99, reset_cause=cause, voltage_port=VOLTAGE_PORT, p1=1, radio=1)
            house.send(BoardSaidHello(house.hello, True))

    return inject


def rises(part, name, by, every=1):
    def inject(house, n):
        getattr(house, part)[name] = by * (1 + n // every)

    return inject


def chatters(house, n):
    house.pulses["rejected"] = 100 * (n + 1)


def freezes(house, n):
    house.ports = {4}


def refuses(house, n):
    if n == 0:
        house.send(SettingsRefused("rate_hz is 20000, not 40000"))


def resumes(house, n):
    house.watch.link_counts({"resumed": n // 5}, house.now_s)


def clock_steps(house, n):
    house.clock = ClockState(steps=1, step_s=-3600.0)


def readings_drop(house, n):
    house.sink = SinkState(up=True, dropped=n + 1)


def heals(house):
    """Everything as it was, but for counts, which never fall."""
    house.flags, house.ports, house.talks, house.silent = {}, {1, 2, 3, 4}, True, set()
    house.health.pop("heap_free", None)
    house.health.pop("backlog_samples", None)
    house.p1.pop("telegrams", None)
    house.radio_chip = 1
    house.sink = SinkState(up=True, dropped=house.sink.dropped)
    house.ledger, house.clock = LedgerState(), ClockState(steps=house.clock.steps)
    house.watch.link("")
    house.send(BoardSaidHello(house.hello, False))


LOG = BoardLog(level=2, t_us=1, text="converter: stopped by itself and was started anew, 1 times since boot")
CASES = [
    # what it is called, its subject, what happens, words of the fix
    ("clamp_clipped", 2, flag(2, wire.CLIPPED), "larger clamp"),
    ("clamp_clipped", 2, flag(2, wire.CLIPPED, every=2), "larger clamp"),
    ("clamp_clipped", 3, flag(3, wire.CLIPPED), "adapter"),
    ("clamp_open", 2, flag(2, wire.NO_SIGNAL), "plug"),
    ("clamp_loose", 1, flag(1, wire.BIAS_MOVED), "loose plug"),
    ("voltage_missing", 3, flag(3, wire.NO_MAINS), "plug the voltage adapter in"),
    ("samples_lost", "", flag(1, wire.GAP, every=4), "lower board.rate_hz"),
    ("pulse_chatter", 4, chatters, "bounce"),
    ("port_silent", 2, sets(ports={1, 3, 4}), "reset the board"),
    ("port_silent", 4, sets(ports={1, 2, 3}), "reset the board"),
    ("windows_missing", "", freezes, "reset the board"),
    ("meter_silent", "M1", sets(silent={"cosem"}), "P1 cable"),
    ("modbus_silent", "7", sets(silent={"uart"}), "lines A and B"),
    ("link_down", "", unplugs, "plugged in"),
    ("board_at_prompt", "", stops(BoardAtPrompt()), "flash.sh"),
    ("board_silent", "", stops(BoardSilent(5.0)), "is this its port"),
    ("wire_differs", "", stops(WireVersionDiffers(3, 4)), "flash.sh"),
    ("settings_refused", "", refuses, "reset the board"),
    ("record_refused", "", once(RecordRefused("port is 9")), "flash.sh"),
    ("unknown_record", "", once(UnknownKind(77)), "update the bridge"),
    ("link_resumes", "", resumes, "shorter or better cable"),
    ("link_damaged", "", sends(FramesDropped(1), every=4), "shorter or better cable"),
    ("link_damaged_to_board", "", rises("health", "lines_dropped", 1, every=3), "shorter or better cable"),
    ("board_watchdog", "", reboots(3), "flash.sh"),
    ("board_restarted", "", reboots(1), "supply"),
    ("board_merges", "", rises("health", "records_merged", 5), "keep it running"),
    ("board_dropped_records", "", rises("health", "records_dropped", 5), "keep the bridge running"),
    ("heap_low", "", lambda house, n: house.health.update(heap_free=8000), "fewer terminals"),
    ("ring_nearly_full", "", lambda house, n: house.health.update(backlog_samples=14_000), "lower board.rate_hz"),
    ("converter_stalled", "", once(BoardLogged(HELLO, LOG)), "flash.sh"),
    ("radio_no_chip", "", sets(radio_chip=0), "docs/wiring.md"),
    ("p1_silent", "", lambda house, n: house.p1.update(telegrams=0), "P1 cable"),
    ("p1_damaged", "", rises("p1", "bad_crc", 1, every=3), "shorter P1 cable"),
    ("sink_down", "mqtt", sets(sink=SinkState(up=False, reason="refused", waiting=5)), "[mqtt]"),
    ("sink_backlog", "mqtt", sets(sink=SinkState(up=True, waiting=900, oldest_s=61.0)), "catches up"),
    ("readings_dropped", "mqtt", readings_drop, "more room"),
    (
        "ledger_full",
        "",
        sets(ledger=LedgerState(state="full", reason="x.db: the disk is full: make room")),
        "make room",
    ),
    ("ledger_read_only", "", sets(ledger=LedgerState(state="read-only")), "check the disk"),
    ("ledger_slow", "", sets(ledger=LedgerState(commit_s=2.5)), "disk"),
    ("clock_not_trusted", "", sets(clock=ClockState(trusted=False)), "timedatectl"),
    ("clock_unsure", "", sets(clock=ClockState(warning=True, reason="nobody has set it")), "timedatectl"),
    ("clock_stepped", "", clock_steps, "time service"),
]


@pytest.mark.parametrize(("what", "subject", "inject", "fix"), CASES, ids=[f"{one[0]} {one[1]}" for one in CASES])
def test_a_fault_is_told_within_a_minute_and_is_over_when_it_is(what, subject, inject, fix):
    house = House()
    house.run(100)
    assert house.last["state"] == "ok" and not house.news
    began_s = house.now_s
    for n in range(60):
        inject(house, n)
        house.second()
    told = [(at, one) for at, message in house.messages for one in message["faults"] if one["what"] == what]
    assert told, house.last["faults"]
    at_s, fault = told[0]
    assert began_s < at_s <= began_s + 60
    assert fix in fault["says"]
    assert subject in ("", *fault.values())
    assert abs(fault["since"] - (WALL_S + at_s)) <= 1
    assert [one["what"] for one in house.last["faults"]] == [what], "and nothing else is told"
    heals(house)
    house.run(140)
    assert house.last["state"] == "ok" and house.last["faults"] == []
    events = [event for _, _, event, _ in house.news]
    assert events in ([what, f"{what}_over"], [f"{what}_over"]), "once each"


def test_the_log_has_the_sentence_and_the_summary_the_name():
    house = House()
    house.run(20)
    house.flags[2] = wire.NO_SIGNAL
    house.run(10)
    ((_, level, event, fields),) = house.news
    assert (level, event, fields["port"]) == ("error", "clamp_open", 2)
    assert "push the plug in" in fields["reason"]
    assert house.watch.summary == "fault: clamp_open 2"


def test_a_healthy_hour_tells_nothing_but_a_message_a_minute():
    house = House()
    house.run(3600)
    assert house.news == []
    assert {message["state"] for _, message in house.messages} == {"ok"}
    assert {one["quality"] for one in house.last["sensors"].values()} == {"good"}
    times = [at for at, _ in house.messages]
    assert all(after - before <= 60 for before, after in pairwise(times))
    assert len(times) <= 60 + 12  # the first values of each sensor are changes


@pytest.mark.parametrize("period_s", [2, 3, 7, 11, 20, 31, 45])
def test_a_fault_that_comes_and_goes_is_told_twice_a_minute_at_most(period_s):
    house = House()
    house.run(20)
    for n in range(600):
        broken = n % period_s < period_s / 2
        house.sink = SinkState(up=not broken, reason="refused")
        house.ledger = LedgerState(state="full" if broken else "ok")
        house.flags[2] = wire.NO_SIGNAL if broken else 0
        house.second()
    for what in ("sink_down", "ledger_full", "clamp_open"):
        begins, before = [], False
        for at, message in house.messages:
            now = any(one["what"] == what for one in message["faults"])
            begins += [at] if now and not before else []
            before = now
        assert begins or (what == "clamp_open" and period_s < 3)
        assert all(after - first >= 30 for first, after in pairwise(begins))


def test_the_page_has_every_fault_and_every_key():
    page = (ROOT / "docs" / "health.md").read_text()
    rows = page.partition("## Faults")[2]
    for what, *_ in CASES:
        assert f"`{what}`" in rows, what
    sources = [*(ROOT / "host/fluksometer/domain").glob("*health.py")]
    named = {name for source in sources for name in re.findall(r'what="(\w+)"', source.read_text())}
    assert named and not [name for name in named if f"`{name}`" not in rows]
    house = House()
    house.watch.link_counts({"records": 5, "dropped": 1}, house.now_s)
    house.flags[2] = wire.NO_SIGNAL
    house.run(60)
    (example,) = (json.loads(one) for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    assert list(example) == list(house.last)
    for key in ("link", "board", "ledger", "clock"):
        assert list(example[key]) == list(house.last[key]), key
    assert list(example["sinks"]["mqtt"]) == list(house.last["sinks"]["mqtt"])
    assert list(example["faults"][0]) == list(house.last["faults"][0])
    assert example["faults"][0]["says"] == house.last["faults"][0]["says"]


def test_a_rescue_of_the_ledger_is_shown_for_an_hour():
    house = House()
    house.run(10)
    house.ledger = LedgerState(report="the last 2 commits are lost")
    house.second()
    house.ledger = LedgerState()
    house.run(3590)
    assert [one["says"] for one in house.last["faults"]] == ["the last 2 commits are lost: check the disk"]
    house.run(30)
    assert [event for _, _, event, _ in house.news] == ["ledger_rescued", "ledger_rescued_over"]
