# The driver of the RS-485 line is on while a piece is sent, and off again before any answer can begin. A meter may
# answer 3.5 characters (300 us at 115200 baud) after the last stop bit; a task or a timer's callback comes too late for that,
# because folding and collecting hold them up for milliseconds, and the UART's own interrupt comes five characters too
# early, or for a short piece never. So a DMA channel that moves nothing of use, paced by a DMA timer of one bit, ends
# when the piece does; its hard interrupt asks the UART, switches off, or looks again a moment later.
# Registers: RP2040 data sheet 2.5.3.2 and 2.5.7; RP2350 data sheet 12.6.4.2 and 12.6.10.
from array import array

from shared._compat import const

_DMA_BASE = const(0x50000000)
_AL1_TRANS_COUNT_TRIG = const(0x1C)
_TREQ_TIMER0 = const(0x3B)
_TIMER_MAX = const(0xFFFF)  # cycles of the core a tick
_AGAIN_US = const(20)  # a tick of 1 us would leave the core to nothing else


class LineDriver:
    """mem32, dma (rp2.DMA): as AdcRing has them. enable(1) switches the driver on, done() tells that the last stop bit has
    gone, pending() how many bytes were received and not yet read."""

    def __init__(self, mem32, dma, timer_register, core_hz, enable, done, pending):
        self._mem32 = mem32
        self._timer_register = timer_register
        self._core_hz = core_hz
        self._enable = enable
        self._done = done
        self._pending = pending
        self._dma = dma()
        self._trigger = _DMA_BASE + 0x40 * self._dma.channel + _AL1_TRANS_COUNT_TRIG
        self._words = array("I", [0, 0])  # what the channel moves: the first to the second, and nobody looks
        self._ticks_per_char = self._again = 0
        self.busy = False  # a piece is on its way
        self.echo = 0  # bytes that were there when its last bit had gone: none of them is an answer
        enable(0)
        self._dma.config(
            read=self._words,
            write=memoryview(self._words)[1:],
            count=1,
            ctrl=self._dma.pack_ctrl(
                size=2,
                inc_read=False,
                inc_write=False,
                treq_sel=_TREQ_TIMER0,
                chain_to=self._dma.channel,
                irq_quiet=False,
                ring_size=0,
                ring_sel=0,
            ),
        )
        self._dma.irq(self._on_end, hard=True)

    def set_speed(self, baud, bits):
        """Of the line: bits a character, start and stop included."""
        per_bit = 1 if self._core_hz // baud <= _TIMER_MAX else 1 + self._core_hz // baud // _TIMER_MAX
        self._mem32[self._timer_register] = 1 << 16 | self._core_hz // (baud * per_bit)  # a tick each so many cycles
        self._ticks_per_char = bits * per_bit
        self._again = 1 + _AGAIN_US * baud * per_bit // 1000000

    def send(self, write, data):
        """write(data), which returns before the bytes have gone, with the driver on."""
        ticks = len(data) * self._ticks_per_char
        self.busy = True
        self._enable(1)
        # No jump and no allocation between these two: no other callback can come between, and make the end late.
        write(data)
        self._mem32[self._trigger] = ticks

    def _on_end(self, _dma):  # hard interrupt: no allocation, no wait
        if not self._done():
            self._mem32[self._trigger] = self._again
            return
        self._enable(0)
        self.echo = self._pending()
        self.busy = False
