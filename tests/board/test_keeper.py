from array import array
from binascii import crc32

from test_state import Files

from meter.calibration import Calibration
from meter.keeper import Keeper, bounded
from meter.settings import Settings
from meter.state import Slots
from shared.records import CALIBRATION, CLAMP, EARLIER, PULSE, SETTINGS

CLAMPS, PULSES = (1, 2, 3), (2, 3, 4, 5)
CALIBRATED = (11, 22, 33, 16384, 0, 16000, 5, -7, 16384)


class _Link:
    """The store of kept records, as the keeper sees it."""

    def __init__(self):
        self.first = []
        self.waiting = []
        self.newest = self.acknowledged = 0

    def keep_first(self, payloads):
        self.first = list(payloads)
        self.newest += len(payloads)

    def keep(self, kind, payload):
        self.waiting.append((kind, payload))
        self.newest += 1

    def latest(self):
        return self.waiting

    def acknowledge(self):
        self.acknowledged, self.waiting = self.newest, []


class _Boot:
    def __init__(self, files, boot_id=1):
        self.files = files
        self.writes = 0
        self.calibration = Calibration()
        self.keeper = Keeper(self.slots("s0", "s1"), self.slots("c0", "c1"), boot_id)
        self.settings = self.keeper.load(self.calibration, CLAMPS, PULSES)
        self.link = _Link()
        self.said = self.keeper.begin(self.link)

    def slots(self, *names):
        return Slots(names, self.files.read, self.write)

    def write(self, name, pieces):
        self.writes += 1
        self.files.write(name, pieces)

    def seconds(self, count, each=lambda: None):
        for _ in range(count):
            each()
            self.said += self.keeper.look(self.settings, self.calibration, self.link)

    def alone(self, seconds):
        """A pulse each second, and nobody who acknowledges it."""
        self.seconds(seconds, lambda: counted(self.link, 5))


def counted(link, count, port=4):
    link.waiting = [(PULSE.kind, PULSE.pack(port, count * 1000000, count, count * 1000000, 0, 0, 0))]
    link.newest += 1


def test_a_fresh_board_has_its_own_settings_and_writes_nothing():
    boot = _Boot(Files())
    boot.seconds(100)
    assert boot.settings.values == Settings().values and boot.writes == 0 and boot.said == []


def test_settings_calibration_and_table_survive():
    files = Files()
    boot = _Boot(files)
    boot.settings = Settings(rate_hz=4000, clamp_ports=0b101)
    boot.seconds(3)
    boot.calibration.take(CALIBRATION.pack(*CALIBRATED))
    table = array("h", [8 * (code - 2048) + code % 5 if code else -16383 for code in range(4096)])
    boot.calibration.put_table([bytes(table)])
    boot.seconds(57)
    assert boot.writes == 0  # it may not be all yet
    boot.seconds(1)
    assert boot.writes == 1
    boot.seconds(1000)
    assert boot.writes == 1
    again = _Boot(files)
    assert again.settings.values == boot.settings.values
    assert again.calibration.values == CALIBRATED and again.calibration.crc == crc32(CALIBRATION.pack(*CALIBRATED))
    assert again.calibration.table == table and again.calibration.table_crc == crc32(table)
    again.seconds(1000)
    assert again.writes == 0 and again.said == []


def test_a_host_that_changes_its_mind_all_the_time_writes_once_a_minute():
    boot = _Boot(Files())
    rates = iter(range(1000, 100000))
    for _ in range(60):
        boot.settings = Settings(rate_hz=next(rates))
        boot.seconds(10)
    assert 8 <= boot.writes <= 10


def test_settings_that_this_board_cannot_do_are_said_and_left():
    files = Files()
    Slots(("s0", "s1"), files.read, files.write).save(
        [(1, SETTINGS.pack(*Settings(voltage_port=2).values)), (2, b"short")]
    )
    boot = _Boot(files)
    assert boot.settings.voltage_port == 2 and boot.calibration.crc == 0
    assert boot.said == ["state: calibration: 36 bytes, not 5: not taken over from flash"], boot.said
    keeper = Keeper(Slots(("s0", "s1"), files.read, files.write), Slots(("c0", "c1"), files.read, files.write), 2)
    assert keeper.load(Calibration(), (1, 3), PULSES).values == Settings().values


def test_a_torn_file_is_said():
    files = Files()
    boot = _Boot(files)
    boot.settings = Settings(rate_hz=4000)
    boot.seconds(61)
    files.content["s0"] = files.content["s0"][:-1]
    again = _Boot(files)
    assert again.settings.rate_hz == 20000
    assert again.said == ["state: settings: 1 of 2 copies in flash not whole, ignored"]


def test_counters_are_written_after_two_minutes_of_silence_and_then_every_ten():
    boot = _Boot(Files())
    counts = iter(range(1, 10000))
    boot.seconds(119, lambda: counted(boot.link, next(counts)))
    assert boot.writes == 0
    boot.seconds(1, lambda: counted(boot.link, next(counts)))
    assert boot.writes == 1
    boot.seconds(599, lambda: counted(boot.link, next(counts)))
    assert boot.writes == 1
    boot.seconds(1801, lambda: counted(boot.link, next(counts)))
    assert boot.writes == 5


def test_a_record_after_hours_without_any_is_no_silence():
    boot = _Boot(Files())
    boot.seconds(5000)
    counted(boot.link, 5)
    boot.seconds(5)
    assert boot.writes == 0


def test_nothing_is_written_while_a_bridge_acknowledges():
    boot = _Boot(Files())

    def second():
        counted(boot.link, 5)
        boot.link.acknowledge()
        counted(boot.link, 6)

    boot.seconds(3000, second)
    assert boot.writes == 0


def test_what_was_not_acknowledged_comes_first_after_a_power_cut_until_it_is():
    files = Files()
    boot = _Boot(files, boot_id=77)
    boot.link.keep(PULSE.kind, PULSE.pack(4, 9, 123, 8, 1, 0, 0))
    boot.link.keep(CLAMP.kind, bytes(CLAMP.size))
    boot.seconds(130)
    again = _Boot(files, boot_id=78)
    assert [EARLIER.unpack(payload)[:2] for payload in again.link.first] == [(77, PULSE.kind), (77, CLAMP.kind)]
    assert EARLIER.unpack(again.link.first[0])[2] == PULSE.pack(4, 9, 123, 8, 1, 0, 0)
    assert again.said == ["state: 2 records of 1 earlier boots"]
    # Nobody has come yet, and the power goes again, before and after this boot has written its own.
    for seconds, records in ((50, 2), (200, 3)):
        _Boot(files, boot_id=78).alone(seconds)
        fourth = _Boot(files, boot_id=79)
        assert len(fourth.link.first) == records, records
    # The bridge comes: what it has stored is taken out of flash.
    fourth.link.acknowledge()
    fourth.seconds(5)
    assert fourth.writes == 1
    fourth.seconds(2000, fourth.link.acknowledge)
    assert fourth.writes == 1
    assert _Boot(files, boot_id=80).link.first == []


def test_an_outage_that_ended_leaves_nothing_in_flash():
    files = Files()
    boot = _Boot(files)
    boot.alone(130)
    boot.link.acknowledge()
    boot.seconds(700, boot.link.acknowledge)
    assert boot.writes == 2  # no sooner than ten minutes later
    assert _Boot(files).link.first == []


def test_only_the_last_boots_are_kept_and_the_others_said():
    files = Files()
    for boot_id in range(1, 7):
        boot = _Boot(files, boot_id)
        boot.alone(130)
    assert [EARLIER.unpack(payload)[0] for payload in _Boot(files).link.first] == [3, 4, 5, 6]
    assert boot.said[-1] == "state: counters of 1 earlier boots given up, there is room for 4"
    payloads = [EARLIER.pack(boot_id, 3, b"x") for boot_id in (1, 2, 3) for _ in range(15)]
    assert bounded(payloads) == (payloads[15:], 1)


def test_the_end_of_the_firmware_writes_what_nobody_has():
    files = Files()
    boot = _Boot(files)
    boot.alone(59)
    boot.keeper.last(boot.link)
    assert boot.writes == 0  # a firmware that ends at its start all the time
    boot.seconds(1)
    boot.keeper.last(boot.link)
    assert len(_Boot(files).link.first) == 1
    boot.link.acknowledge()
    boot.keeper.last(boot.link)
    assert boot.writes == 1


def test_a_full_file_system_is_said_and_tried_again():
    boot = _Boot(Files())

    def fail(_name, _pieces):
        raise OSError(28)

    write, boot.files.write = boot.files.write, fail
    boot.settings = Settings(rate_hz=4000)
    boot.seconds(70)
    assert len(boot.said) == 1 and "full" in boot.said[0]
    boot.files.write = write
    boot.seconds(60)
    assert _Boot(boot.files).settings.rate_hz == 4000
