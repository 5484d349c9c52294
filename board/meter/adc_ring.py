# The converter runs free and two DMA channels keep a ring of its samples filled: between samples nothing of ours runs.
# Data channel: one ring of samples, then chains to the control channel, which writes the ring's address back and so
# starts the data channel again. While that takes a few cycles the converter's own queue holds the samples.
# Registers: RP2040 data sheet 4.9.6 (ADC), 2.5.7 (DMA); RP2350 data sheet 12.4.6, 12.6.10: same bits, other addresses.
import gc
from array import array

from shared._compat import const

_CS, _FCS, _FIFO, _DIV = const(0x00), const(0x08), const(0x0C), const(0x10)
_CS_ENABLE, _CS_START_MANY, _CS_READY = const(1), const(1 << 3), const(1 << 8)
_FCS_ENABLE, _FCS_DREQ, _FCS_EMPTY = const(1), const(1 << 3), const(1 << 8)
_FCS_UNDER, _FCS_OVER = const(1 << 10), const(1 << 11)  # written as 1 they are cleared
_FCS_THRESHOLD_1 = const(1 << 24)
_ADC_CLOCK_HZ = const(48000000)
_Q8_PER_US = const(12288)  # 1/256 cycles of the ADC clock
_CYCLES_MIN = const(96)  # one conversion takes 96 cycles of the ADC clock
_DMA_BASE = const(0x50000000)
_WRITE_ADDR, _AL1_CTRL, _AL2_WRITE_ADDR_TRIG = const(0x04), const(0x10), const(0x2C)
# What the interpreter may pause without a gap: 250 ms, at the highest rates 200 ms (two bytes a sample).
_SAMPLES_MIN, _SAMPLES_MAX, _PER_S = const(15000), const(60000), const(4)


class AdcRing:
    """Ring of interleaved samples of some channels. mem32, dma (rp2.DMA) and addressof (uctypes) are handed in."""

    def __init__(self, mem32, dma, addressof, adc_base, adc_dreq):
        self._mem32 = mem32
        self._addressof = addressof
        self._adc = adc_base
        self._dreq = adc_dreq
        self._data = dma()
        self._control = dma()
        self._position_register = _DMA_BASE + 0x40 * self._data.channel + _WRITE_ADDR
        self._fcs_register = adc_base + _FCS
        self.samples = 0  # of the ring that are in use
        self._set_q8 = 0  # what a set takes, in 1/256 cycles: the divider makes few rates exactly
        self.ring = None
        self._allocate(_SAMPLES_MIN)

    def _allocate(self, samples):
        self.ring = self._restart_word = None  # the word holds the ring's address, which would keep its memory
        gc.collect()  # what the old ring held has to be free in one piece
        self.ring = array("H", range(samples))  # made of bytes it would need the memory twice
        self._address = self._addressof(self.ring)
        self._restart_word = array("I", [self._address])

    def fit(self, conversions_hz):
        """Make the ring long enough for this rate, or as long as the memory allows; stopped before."""
        wanted = min(max(conversions_hz // _PER_S, _SAMPLES_MIN), _SAMPLES_MAX)
        if self.ring is not None and wanted == len(self.ring):  # None: there was no memory for any
            return
        while not self._try(wanted):
            wanted = max(wanted * 3 // 4, _SAMPLES_MIN)

    def _try(self, samples):
        try:
            self._allocate(samples)
        except MemoryError:
            if samples == _SAMPLES_MIN:
                raise
            return False
        return True

    def start(self, channels, rate_hz):
        """Sample these converter inputs (ascending) in turn, each rate_hz times a second, from the ring's beginning."""
        self.stop()
        self.samples = len(self.ring) // len(channels) * len(channels)  # whole sets: index % channels is the channel
        mem32, adc = self._mem32, self._adc
        while not mem32[adc + _CS] & _CS_READY:  # 2 us at most: the conversion that stop() let finish
            pass
        while not mem32[adc + _FCS] & _FCS_EMPTY:  # what a former run left in the queue
            mem32[adc + _FIFO]
        mem32[adc + _FCS] = _FCS_ENABLE | _FCS_DREQ | _FCS_UNDER | _FCS_OVER | _FCS_THRESHOLD_1
        cycles_q8 = (_ADC_CLOCK_HZ * 256 + rate_hz * len(channels) // 2) // (rate_hz * len(channels))
        mem32[adc + _DIV] = max(cycles_q8 - 256, 0) if cycles_q8 > _CYCLES_MIN * 256 else 0
        self._set_q8 = max(cycles_q8, _CYCLES_MIN * 256) * len(channels)
        self._start_dma()
        mask = sum([1 << channel for channel in channels])
        round_robin = mask << 16 if len(channels) > 1 else 0
        mem32[adc + _CS] = round_robin | channels[0] << 12 | _CS_ENABLE | _CS_START_MANY

    def _start_dma(self):
        data, control = self._data, self._control
        trigger = _DMA_BASE + 0x40 * data.channel + _AL2_WRITE_ADDR_TRIG
        control.config(
            read=self._restart_word,
            write=trigger,
            count=1,
            ctrl=control.pack_ctrl(
                size=2, inc_read=False, inc_write=False, chain_to=control.channel, ring_size=0, ring_sel=0
            ),
        )
        data.config(
            read=self._adc + _FIFO,
            write=self.ring,
            count=self.samples,
            ctrl=data.pack_ctrl(
                size=1,
                inc_read=False,
                inc_write=True,
                treq_sel=self._dreq,
                chain_to=control.channel,
                high_pri=True,
                ring_size=0,  # said aloud: the default of MicroPython 1.25 is wrong on the RP2350
                ring_sel=0,
            ),
            trigger=True,
        )

    def stop(self):
        """No sample after this. The converter finishes the one it is at."""
        self._mem32[self._adc + _CS] = _CS_ENABLE
        for channel in (self._data, self._control):
            # Disabled before they are aborted: aborting an enabled channel fires its chain (RP2350 erratum E5).
            self._mem32[_DMA_BASE + 0x40 * channel.channel + _AL1_CTRL] = 0
        self._data.active(0)
        self._control.active(0)

    def us_of(self, sets):
        """How long the converter takes for so many sets, in microseconds."""
        return sets * self._set_q8 // _Q8_PER_US

    def sets_in(self, us):
        """How many sets the converter takes in so many microseconds."""
        return us * _Q8_PER_US // self._set_q8

    def position(self):
        """Index in the ring of the sample that comes next."""
        return (self._mem32[self._position_register] - self._address) // 2 % self.samples

    def overrun(self):
        """The converter's queue was full, or read when empty: samples are missing, the order of channels is unknown."""
        return bool(self._mem32[self._fcs_register] & (_FCS_OVER | _FCS_UNDER))
