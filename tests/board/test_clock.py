from fakes import PERIOD, Ticks

from meter.clock import BoardClock


def test_time_goes_on_when_the_ticks_wrap():
    ticks = Ticks(PERIOD - 1000)
    clock = BoardClock(ticks.ticks, ticks.diff)
    for second in range(1, 3000):
        ticks.now += 1000000
        assert clock.now_us() == second * 1000000
        clock.tick()
        assert clock.now_us() == second * 1000000


def test_an_older_tick_count_is_dated_before_now():
    ticks = Ticks(PERIOD - 500)
    clock = BoardClock(ticks.ticks, ticks.diff)
    ticks.now += 400
    edge = ticks.ticks()
    ticks.now += 2000000
    clock.tick()
    assert clock.at_us(edge) == 400
