"""An RFM12B at the level of its command words, as its data sheet describes it (HopeRF, "RFM12B Universal ISM Band FSK
Transceiver": control commands, status read command, interrupt, timing)."""

from collections.abc import Callable
from random import Random
from typing import Final

from house.air import Air, Receiver, Transmission, Tuning

# Status bits.
READY, POWER_ON, LOST, FIFO_EMPTY, LOUD = 0x8000, 0x4000, 0x2000, 0x0200, 0x0100

_FIFO_HZ: Final = 2_500_000
"""Above this clock the FIFO can't be read."""

_SYNTHESIZER_NS: Final = 250_000
_CRYSTAL_NS: Final = 2_000_000
"""Start-up of the crystal (up to 5 ms) and, behind it, of the synthesizer (250 us)."""

_TX_DBM: Final = -40.0
"""As a kube in the house hears the board."""

_ER, _ET, _EX = 0x80, 0x20, 0x08  # Power Management: receiver, transmitter, crystal
_FF, _AL, _SP = 0x02, 0x04, 0x08  # FIFO and Reset Mode: fill, always, one sync byte
_BASES_KHZ: Final = {1: (430_000, 2.5), 2: (860_000, 5.0), 3: (900_000, 7.5)}

AT_POWER_ON: Final = {
    0x8000: 0x8008,
    0x8200: 0x8208,
    0xA000: 0xA680,
    0xC600: 0xC623,
    0x9000: 0x9080,
    0xC200: 0xC22C,
    0xCA00: 0xCA80,
    0xCE00: 0xCED4,
    0xC400: 0xC4F7,
    0x9800: 0x9800,
    0xE000: 0xE196,
    0xC800: 0xC80E,
}
"""Each command's words at power-on, by the bits that tell the command."""


def command_of(word: int) -> int:
    """The bits of a word that tell which command it is."""
    top = word >> 8
    if top & 0xF0 == 0xA0:
        return 0xA000
    if top & 0xF8 == 0x90:
        return 0x9000
    if top & 0xFE == 0x98:
        return 0x9800
    if top & 0xE0 == 0xE0:
        return 0xE000
    return top << 8


class Rfm12b:
    """One chip. ``set_irq(level)`` drives nIRQ; ``words`` is what was written, oldest first, for a test to look at."""

    def __init__(self, air: Air, noise_s: float, set_irq: Callable[[bool], None], seed: int) -> None:
        self._air = air
        self._random = Random(f"rfm12b {seed}")
        self._set_irq = set_irq
        self._receiver = Receiver(air, noise_s, lambda: None, self._received)
        self._overflow_alarm = air.clock.create_alarm(self._overflow)
        self._tx_alarm = air.clock.create_alarm(self._tx_next)
        self.words: list[int] = []
        self.fifo_too_fast = 0
        self.overruns = 0
        self.power_on()

    def power_on(self) -> None:
        """As the supply comes: all settings are the chip's own, and the power-on bit waits to be read."""
        self._registers = dict(AT_POWER_ON)
        self._flags = POWER_ON
        self._fifo: list[int] = []
        self._in: list[int] = []
        self._out: list[int] = []
        self._hold: int | None = None  # byte behind the one that is being sent
        self._shift = 0xAA
        self._ready_to_send = False
        self._sending: Transmission | None = None
        self._warm = False
        self._receiver.stop()
        self._overflow_alarm.cancel()
        self._tx_alarm.cancel()
        self._irq_level: bool | None = None
        self._update_irq()

    def reset_line(self, level: bool) -> None:
        """The RFM12B's own reset pin is an output: nothing happens."""

    # --- what was written ---

    @property
    def tuning(self) -> Tuning:
        """Frequency, bit rate and deviation that the words ask for. The deviation is the transmitter's setting."""
        base_khz, step_khz = _BASES_KHZ.get(self._registers[0x8000] >> 4 & 3, (310_000, 2.5))
        rate = self._registers[0xC600] & 0xFF
        bit_rate = 10e6 / 29 / ((rate & 0x7F) + 1) / (8 if rate & 0x80 else 1)
        deviation_khz = 15.0 * ((self._registers[0x9800] >> 4 & 15) + 1)
        return Tuning(base_khz + step_khz * (self._registers[0xA000] & 0xFFF), bit_rate, deviation_khz)

    @property
    def threshold_dbm(self) -> float:
        """From which the RSSI bit is set."""
        word = self._registers[0x9000]
        return -103.0 + 6 * (word & 7) - (0, 6, 14, 20)[word >> 3 & 3]

    # --- the bus ---

    def select(self, selected: bool) -> None:
        """A command begins or ends with nSEL."""
        self._in, self._out = [], []
        if selected:
            status = self._status()
            self._out = [status >> 8, status & 0xFF]

    def exchange(self, byte: int, clock_hz: float) -> int:
        """Status bits go out while a word that begins with 0 comes in; FIFO bits follow them, or B0 in its second byte."""
        at = len(self._in)
        self._in.append(byte)
        if at == 0:
            return self._out[0] if not byte & 0x80 else self._out[0] & 0x80
        if not self._in[0] & 0x80:
            if at == 1:
                self._flags &= ~(POWER_ON | LOST)
                self._update_irq()
                return self._out[1]
            return self._read_fifo(clock_hz)
        if at > 1:
            return 0
        word = self._in[0] << 8 | byte
        if self._in[0] == 0xB0:
            return self._read_fifo(clock_hz)
        self.words.append(word)
        self._command(word)
        return 0

    def _read_fifo(self, clock_hz: float) -> int:
        if clock_hz > _FIFO_HZ:
            self.fifo_too_fast += 1
            return self._random.randrange(256)
        byte = self._fifo.pop(0) if self._fifo else 0
        self._overflow_alarm.cancel()
        self._update_irq()
        return byte

    def _status(self) -> int:
        loud = self._receiving and self._air.level_dbm(self.tuning) >= self.threshold_dbm
        return (
            self._flags
            | (READY if self._wants_service() else 0)
            | (0 if self._fifo else FIFO_EMPTY)
            | (LOUD if loud else 0)
        )

    def _wants_service(self) -> bool:
        return self._ready_to_send if self._transmitting else bool(self._fifo)

    def _update_irq(self) -> None:
        level = not (self._wants_service() or self._flags & (POWER_ON | LOST))
        if level != self._irq_level:
            self._irq_level = level
            self._set_irq(level)

    # --- commands ---

    @property
    def _receiving(self) -> bool:
        return bool(self._registers[0x8200] & _ER) and not self._transmitting

    @property
    def _transmitting(self) -> bool:
        return bool(self._registers[0x8200] & _ET)

    def _command(self, word: int) -> None:
        command = command_of(word)
        if command == 0xB800:
            self._write_tx(word & 0xFF)
            return
        before = self._registers.get(command)
        self._registers[command] = word
        if command == 0x8200 and word != before:
            self._power(before or 0)
        elif command == 0xCA00:
            self._fifo_mode(before or 0)
        elif self._receiver.searching:
            self._listen()
        self._update_irq()

    def _power(self, before: int) -> None:
        was_warm = bool(before & (_ER | _ET | _EX))
        if self._transmitting and not before & _ET:
            self._receiver.stop()
            self._fifo.clear()
            # The transmit register holds AAAA from the start; its first half goes out first.
            self._shift, self._hold, self._ready_to_send = 0xAA, 0xAA, True
            self._tx_alarm.schedule(_SYNTHESIZER_NS + (0 if was_warm else _CRYSTAL_NS))
        elif not self._transmitting and before & _ET:
            self._tx_alarm.cancel()
            self._ready_to_send = False
            if self._sending is not None:
                self._air.end(self._sending)
                self._sending = None
        self._listen()

    def _fifo_mode(self, before: int) -> None:
        now = self._registers[0xCA00]
        if not now & _FF:
            self._fifo.clear()
            self._overflow_alarm.cancel()
            self._receiver.stop()
        elif not before & _FF:
            self._listen()

    def _listen(self) -> None:
        """Looks for the sync word, if the receiver is on and the FIFO is to be filled."""
        self._receiver.stop()
        if self._receiving and self._registers[0xCA00] & _FF and self._registers[0x8000] & 0x40:
            group = self._registers[0xCE00] & 0xFF
            one_byte = self._registers[0xCA00] & _SP
            self._receiver.search(self.tuning, bytes([group]) if one_byte else bytes([0x2D, group]))

    # --- receiving ---

    def _received(self, byte: int) -> None:
        if len(self._fifo) < 2:
            self._fifo.append(byte)
            if len(self._fifo) == 2:  # the 17th bit has no place
                self._overflow_alarm.schedule(1e9 / self.tuning.bit_rate)
        self._update_irq()

    def _overflow(self) -> None:
        self.overruns += 1
        self._flags |= LOST
        self._receiver.stop()
        self._update_irq()

    # --- sending ---

    def _write_tx(self, byte: int) -> None:
        if self._ready_to_send:
            self._hold = byte
            self._ready_to_send = False
        else:
            self._flags |= LOST  # overwritten
        self._update_irq()

    def _tx_next(self) -> None:
        """A byte has left the shift register (or sending begins): the one behind it follows."""
        bit_rate = self.tuning.bit_rate
        if self._sending is None:
            self._sending = self._air.begin("board", self.tuning, _TX_DBM, b"", whole=False)
        else:
            if self._hold is None:
                self._flags |= LOST  # nobody brought the next one: the last is sent again
            else:
                self._shift, self._hold = self._hold, None
            self._ready_to_send = True
        self._sending.data.append(self._shift)
        self._tx_alarm.schedule(8e9 / bit_rate)
        self._update_irq()
