"""When a person is told of a pulse input's wire."""

import structlog
from host.making import make_hello

from fluksometer.adapters.event_log import EventLog
from fluksometer.domain.link_events import PulsesCounted
from fluksometer.domain.pulse_watch import BOUNCE_EDGES, PulseWatch
from fluksometer.domain.readings import PulseCount


def pulses(port=4, count=0, rejected=0, storms=0) -> PulseCount:
    return PulseCount(port=port, t_us=0, count=count, edge_us=0, interval_us=0, rejected=rejected, storms=storms)


def test_bounce_of_a_contact_is_no_news():
    watch = PulseWatch()
    for count in range(10):
        assert watch.take(1, pulses(count=count, rejected=BOUNCE_EDGES * count)) is None


def test_chatter_without_pulses_and_storms_are():
    watch = PulseWatch()
    assert watch.take(1, pulses(rejected=500, storms=3)) is None  # before the bridge looked
    assert "30 edges in a second" in str(watch.take(1, pulses(rejected=530, storms=3)))
    assert "shut for moments" in str(watch.take(1, pulses(rejected=530, storms=4)))
    assert watch.take(1, pulses(rejected=530, storms=4)) is None


def test_a_new_boot_counts_from_zero():
    watch = PulseWatch()
    watch.take(1, pulses(rejected=500, storms=3))
    assert watch.take(2, pulses(rejected=5)) is None
    assert watch.counts == {"edges_rejected": 5, "pulse_storms": 0}


def test_counts_are_those_of_all_ports():
    watch = PulseWatch()
    watch.take(1, pulses(rejected=5, storms=1))
    watch.take(1, pulses(port=5, rejected=7))
    assert watch.counts == {"edges_rejected": 12, "pulse_storms": 1}


def test_the_log_tells_it_once_a_period_for_each_port():
    hello = make_hello()
    with structlog.testing.capture_logs() as lines:
        log = EventLog(structlog.get_logger())
        for second in range(5):
            for port in (4, 5):
                log.show(PulsesCounted(hello, pulses(port=port, storms=60 * second)))
            if second == 3:
                log.begin_period()
    assert [line["event"] for line in lines] == ["pulse_4_edges", "pulse_5_edges"] * 2
    assert {line["log_level"] for line in lines} == {"warning"}
    assert log.pulse_counts["pulse_storms"] == 480
