# The board with its keeper and its watchdog.
from sampling import settings_values
from test_board import _IDENTITY, _Rig, of, said
from test_state import Files

from meter.board import Board
from meter.keeper import Keeper
from meter.pulses import PulseInput
from meter.settings import Settings
from meter.state import Slots
from meter.watchdog import Watchdog
from shared.records import EARLIER, PULSE, SETTINGS


class _Boot(_Rig):
    def __init__(self, files, boot_id=9):
        super().__init__()
        slots = [Slots(names, files.read, files.write) for names in (("s0", "s1"), ("c0", "c1"))]
        keeper = Keeper(slots[0], slots[1], boot_id)
        settings = keeper.load(self.calibration, (1, 2, 3), (2, 3, 4, 5))
        inputs = {port: PulseInput(port, index) for port, index in self.lines.index.items()}
        self.fed = 0
        self.watchdog = Watchdog(self.feed)
        self.board = Board(
            _IDENTITY, settings, self.calibration, self.clock, self.sampler, inputs, (), keeper, self.watchdog
        )

    def feed(self):
        self.fed += 1

    async def seconds(self, count=61):
        for _ in range(count):
            self.board._look_after_itself()


def test_settings_of_the_host_are_there_after_the_next_start():
    files = Files()
    boot = _Boot(files)
    wanted = settings_values(4000, 0b101, 0b01010)
    boot.ask(SETTINGS, *wanted)
    boot.run(200, boot.seconds)
    assert sorted(files.content) == ["s0"]
    hello = of(_Boot(files).run(200), "hello")[0]
    assert [hello[field[0]] for field in SETTINGS.fields] == list(wanted)


def test_settings_for_which_memory_is_too_short_now_do_not_keep_the_board_from_running():
    files = Files()
    Slots(("s0", "s1"), files.read, files.write).save([(1, SETTINGS.pack(*settings_values(90000, 0b111, 0)))])
    boot = _Boot(files)
    boot.ring.most_hz = 70000
    hello = of(boot.run(200), "hello")[0]
    assert hello["rate_hz"] == Settings().rate_hz


def test_counters_of_an_earlier_boot_are_the_first_kept_records():
    files = Files()
    payload = EARLIER.pack(77, PULSE.kind, PULSE.pack(4, 1, 2, 3, 0, 0, 0))
    Slots(("c0", "c1"), files.read, files.write).save([(4, payload)])
    boot = _Boot(files)
    records = boot.run(200)
    assert said(records) == ["state: 1 records of 1 earlier boots"]
    assert (of(records, "earlier")[0]["boot_id"], boot.kept.newest) == (77, 1)


def test_windows_that_do_not_come_end_the_feeding_with_a_word():
    boot = _Boot(Files())

    async def thirteen():
        await boot.seconds(13)

    assert said(boot.run(200, thirteen)) == ["watchdog: windows makes no progress, the board will be reset"]
    assert boot.fed == 12


def test_without_clamps_no_windows_are_waited_for():
    boot = _Boot(Files())
    boot.ask(SETTINGS, *settings_values(1000, 0, 0b11000))

    async def minute():
        await boot.seconds(60)

    assert said(boot.run(200, minute)) == [] and boot.fed == 60
