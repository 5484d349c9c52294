from meter.watchdog import BY_PROGRAM, ENDED, FAULT, FAULTED, POWER_ON, RUNNING, WATCHDOG, Watchdog, cause_of


class _Fed:
    def __init__(self):
        self.count = 0
        self.dog = Watchdog(self.feed)

    def feed(self):
        self.count += 1

    def looks(self, count):
        return [self.dog.look() for _ in range(count)]


def test_it_is_fed_while_all_tasks_make_progress():
    fed = _Fed()
    for _ in range(20):
        fed.dog.alive("windows")
        fed.dog.alive("panel")
        assert fed.dog.look() is None
    assert fed.count == 20


def test_a_task_without_progress_is_named_and_ends_the_feeding():
    fed = _Fed()
    fed.dog.alive("windows")
    fed.dog.alive("panel")
    assert fed.looks(12) == [None] * 12
    fed.dog.alive("windows")
    assert fed.looks(2) == ["panel", "panel"]
    assert fed.count == 12
    fed.dog.alive("panel")
    assert fed.looks(1) == [None]


def test_a_resting_task_need_not_make_progress():
    fed = _Fed()
    fed.dog.alive("reader")
    fed.dog.rest("reader")
    assert fed.looks(50) == [None] * 50
    fed.dog.alive("reader")
    assert fed.looks(13) == [None] * 12 + ["reader"]


def test_the_cause_of_a_reset():
    assert cause_of(0, 0) == POWER_ON
    assert cause_of(1, RUNNING) == WATCHDOG
    assert cause_of(2, RUNNING) == BY_PROGRAM  # machine.reset() by somebody else's code
    assert cause_of(2, FAULTED) == FAULT
    assert cause_of(2, ENDED) == BY_PROGRAM  # Ctrl-C, then mpremote reset
    assert cause_of(1, ENDED) == BY_PROGRAM  # Ctrl-C and Ctrl-D, after a reset by the watchdog
    assert cause_of(0, ENDED) == BY_PROGRAM  # Ctrl-C and Ctrl-D
    assert cause_of(1, 0) == BY_PROGRAM  # the boot ROM, after an image was copied
    assert cause_of(0, 0x5A5A5A5A) == POWER_ON  # what a register holds by chance
