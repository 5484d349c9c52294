"""The burst converter: the ADC's free run into the DMA, computed in blocks when somebody looks instead of sample by sample.

rp2040py pays two clock alarms and several Python calls for each sample; three clamps at 20 kS/s are then slower than real
time. Nothing can tell when a sample was stored except by reading a DMA or ADC register or by taking the DMA's interrupt.
So it is enough to bring the memory up to date at these moments: before each access to those registers and at the
completion of each transfer count. Between them no work is done at all, so memory ahead of the write address that was read last
may still hold what stood there before: a program that asks where the DMA is before it reads, as it must, sees no difference.

Times are integers in units of 1/1536 ns, in which the converter's clock (48 MHz, divider in 1/256) is exact
(RP2040 datasheet 4.9.2: a conversion takes 96 clocks; DIV sets the period, INT + 1 + FRAC/256 clocks).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rp2040py.peripherals import adc as adc_model
from rp2040py.peripherals import dma as dma_model

from house.converter import Source

UNITS_PER_NS: Final = 1536
UNITS_PER_TICK: Final = 125
"""One 256th of a cycle of the converter's 48 MHz clock: 1000 / (48 * 256) ns."""

CONVERSION_TICKS: Final = 96 * 256
CONVERSION_UNITS: Final = CONVERSION_TICKS * UNITS_PER_TICK
_SLACK_UNITS: Final = 77
"""The clock is a double: after hours it may miss a moment by some hundredths of a nanosecond."""

_SRAM_START: Final = 0x20000000
_FIFO_ADDRESS: Final = 0x4004C000 + adc_model.FIFO_REG
_ALIAS_MASK: Final = 0x3000
_FIFO_DEPTH: Final = 4
_CHANNELS: Final = 5
_FREE_RUN: Final = adc_model.CS_EN | adc_model.CS_START_MANY
_FIFO_DREQ: Final = adc_model.FCS_EN | adc_model.FCS_DREQ_EN

Codes = npt.NDArray[np.uint16]


def period_units(clock_div: int) -> int:
    """Time from one conversion to the next for a value of the DIV register."""
    return max(CONVERSION_TICKS, 256 + (clock_div & 0xFFFFFF)) * UNITS_PER_TICK


def robin_order(first: int, enabled: int) -> list[int]:
    """Inputs in the order in which they are converted, from ``first`` on; the list is one round.

    The first conversion is AINSEL's even if its bit is not set; the caller asks again from the second on.
    """
    if not enabled:
        return [first]
    after = [(first + step) % _CHANNELS for step in range(1, _CHANNELS + 1)]
    rest = [channel for channel in after if enabled >> channel & 1]
    return [first, *rest[:-1]] if enabled >> first & 1 else [first]


def next_channel(channel: int, enabled: int) -> int:
    """The input that follows in round robin."""
    candidates = ((channel + step) % _CHANNELS for step in range(1, _CHANNELS + 1))
    return next((c for c in candidates if enabled >> c & 1), channel) if enabled else channel


def ring_offsets(address: int, size: int, count: int, ring_mask: int) -> npt.NDArray[np.int64]:
    """Addresses of ``count`` transfers of ``size`` bytes, wrapping in the low bits if ``ring_mask`` is set."""
    along = address + size * np.arange(count, dtype=np.int64)
    return (address & ~ring_mask) | (along & ring_mask) if ring_mask else along


class BurstConverter:
    """Takes over ``mcu.adc`` and ``mcu.dma`` while the converter runs freely into its FIFO; else their own models work.

    The per-sample model remains in charge of single conversions, of interrupts by the FIFO, and of anything unusual: each
    start of a conversion decides anew.
    """

    def __init__(self, mcu: Any, source: Source) -> None:
        self._mcu, self._adc, self._dma, self._clock = mcu, mcu.adc, mcu.dma, mcu.clock
        self._source = source
        self._sram = np.frombuffer(mcu.sram, dtype=np.uint8)
        self._running = False
        self._inside = False
        self._started = 0  # conversions since the start at _origin whose codes are already taken
        self._origin = 0  # units: start of conversion 0
        self._period = CONVERSION_UNITS
        self._alarm = self._clock.create_alarm(self._on_alarm)
        self._intercept()

    @property
    def running(self) -> bool:
        """Whether the free run is being computed in blocks."""
        return self._running

    def _intercept(self) -> None:
        """Puts this object in front of both models' registers. Instance attributes hide the methods of their classes."""
        adc, dma = self._adc, self._dma
        self._start_one, self._update_dma = adc.start_adc_read, adc._update_dma
        adc.start_adc_read = self._start
        adc._update_dma = lambda: None if self._running else self._update_dma()
        adc.read_uint32, adc.write_uint32 = self._reading(adc.read_uint32), self._writing(adc.write_uint32)
        dma.read_uint32, dma.write_uint32 = self._reading(dma.read_uint32), self._writing(dma.write_uint32)
        adc.reset, dma.reset = self._stopped(adc.reset), self._writing(dma.reset)

    def _reading(self, access: Any) -> Any:
        def call(offset: int) -> Any:
            if not self._running or self._inside:
                return access(offset)
            self._sync()
            self._adc.busy = self._begun() <= self._now()
            return access(offset)

        return call

    def _writing(self, access: Any) -> Any:
        def call(*arguments: int) -> Any:
            if not self._running or self._inside:
                return access(*arguments)
            self._sync()
            before, self._adc.busy = self._settings(), True  # busy: the write must not begin a second free run
            result = access(*arguments)
            self._after_write(before)
            return result

        return call

    def _stopped(self, reset: Any) -> Any:
        def call() -> None:
            self._running = False
            self._alarm.cancel()
            reset()

        return call

    def _settings(self) -> tuple[int, int, int, int]:
        adc = self._adc
        return adc.cs & adc_model.CS_WRITE_MASK, adc.fcs & adc_model.FCS_WRITE_MASK, adc.clock_div, adc.int_enable

    def _after_write(self, before: tuple[int, int, int, int]) -> None:
        """A write may have changed the converter (then the per-sample model goes on) or started a DMA channel."""
        if self._settings() != before:
            self._leave()
        else:
            self._deliver(np.zeros(0, dtype=np.uint16))
            self._arm()

    def _begun(self) -> int:
        """When the first conversion that is not yet taken begins."""
        return self._origin + self._started * self._period

    def _start(self) -> None:
        """A conversion is to begin now: in a block if nothing but the DMA can see it, else alone."""
        if not self._eligible():
            self._start_one()
            return
        self._running = True
        self._origin = self._now()
        self._started = 0
        self._period = period_units(self._adc.clock_div)
        self._dma.clear_dreq(self._adc.dreq)
        self._arm()

    def _eligible(self) -> bool:
        adc = self._adc
        threshold = adc.fcs >> adc_model.FCS_THRESH_SHIFT & adc_model.FCS_THRES_MASK
        free = adc.cs & _FREE_RUN == _FREE_RUN and adc.fcs & _FIFO_DREQ == _FIFO_DREQ
        return bool(free and 1 <= threshold <= _FIFO_DEPTH and not adc.int_enable)

    def _now(self) -> int:
        nanos: float = self._clock.nanos
        return round(nanos * UNITS_PER_NS)

    def _on_alarm(self) -> None:
        if self._running:
            self._sync()
            self._arm()

    def _sync(self) -> None:
        """Does all conversions that have ended by now, and the transfers that follow from them."""
        ended = (self._now() + _SLACK_UNITS - self._origin - CONVERSION_UNITS) // self._period + 1
        if ended > self._started:
            self._deliver(self._convert(ended - self._started))

    def _convert(self, count: int) -> Codes:
        """Codes of the next ``count`` conversions in the order of the round robin."""
        adc = self._adc
        enabled = adc.cs >> adc_model.CS_RROBIN_SHIFT & adc_model.CS_RROBIN_MASK
        parts = []
        while count:
            order = robin_order(adc._active_channel, enabled)
            block = count if not enabled or enabled >> order[0] & 1 else 1
            parts.append(self._convert_rounds(order, block))
            last = order[(block - 1) % len(order)]
            adc._active_channel = next_channel(last, enabled)
            count -= block
        codes = np.concatenate(parts)
        adc.result = int(codes[-1])
        adc.cs &= ~adc_model.CS_ERR
        return codes

    def _convert_rounds(self, order: list[int], count: int) -> Codes:
        starts = self._origin + self._period * np.arange(self._started, self._started + count, dtype=np.int64)
        t_ns = (starts + UNITS_PER_NS // 2) // UNITS_PER_NS
        codes = np.empty(count, dtype=np.uint16)
        for position, channel in enumerate(order):
            codes[position :: len(order)] = self._source.take(channel, t_ns[position :: len(order)])
        self._started += count
        return codes

    def _deliver(self, codes: Codes) -> None:
        """Codes into the FIFO and on into memory, as far as the DMA takes them; what does not fit is lost (FCS.OVER)."""
        fifo, self._inside = self._adc.fifo, True
        if self._adc.fcs & adc_model.FCS_SHIFT:
            codes = (codes >> 4).astype(np.uint16)
        queue = np.concatenate([np.array(fifo.items, dtype=np.uint16), codes]) if fifo.item_count else codes
        threshold = self._adc.fcs >> adc_model.FCS_THRESH_SHIFT & adc_model.FCS_THRES_MASK
        while len(queue) >= threshold and (channel := self._reader()) is not None:
            count = min(len(queue) - threshold + 1, channel._trans_count)
            self._store(channel, queue[:count])
            queue = queue[count:]
            self._count_down(channel, count)
        if len(queue) > _FIFO_DEPTH:
            self._adc.fcs |= adc_model.FCS_OVER
        fifo.reset()
        for code in queue[:_FIFO_DEPTH]:
            fifo.push(int(code))
        self._inside = False

    def _reader(self) -> Any:
        """The running DMA channel that waits for the converter, or None."""
        waiting = (c for c in self._dma.channels if c.treq == self._adc.dreq and c.active and c._trans_count > 0)
        return next(waiting, None)

    def _store(self, channel: Any, codes: Codes) -> None:
        """The DMA's writes: the whole block at once if it goes from the FIFO into SRAM, else one by one."""
        size, ctrl = channel._data_size, channel._ctrl
        plain = not ctrl & (dma_model.BSWAP | dma_model.INCR_READ)
        ring_mask = channel._ring_mask if ctrl & dma_model.RING_SEL else 0
        step = size if ctrl & dma_model.INCR_WRITE else 0
        first = channel._write_addr - _SRAM_START
        low, high = (
            (first & ~ring_mask, first | ring_mask)
            if ring_mask
            else (first, first + step * (len(codes) - 1) + size - 1)
        )
        inside = low >= 0 and high < len(self._sram)
        if not (plain and inside and channel._read_addr & ~_ALIAS_MASK == _FIFO_ADDRESS):
            self._store_singly(channel, codes)
            return
        kept = codes if step else codes[-1:]
        offsets = ring_offsets(first, size, len(kept) + 1, ring_mask)
        ring = ring_mask // size + 1 if ring_mask else len(kept)  # only the last round of a ring remains in memory
        places, kept = offsets[:-1][-ring:], kept[-ring:]
        for byte in range(size):
            self._sram[places + byte] = (kept >> 8 * byte & 0xFF) if byte < 2 else 0
        if step:
            channel._write_addr = int(offsets[-1]) + _SRAM_START

    def _store_singly(self, channel: Any, codes: Codes) -> None:
        """The model's own transfer for each code, without its counting (which follows for the block)."""
        count = channel._trans_count
        self._adc.fifo.reset()
        for code in codes:
            channel._trans_count = 2  # never the last one here
            self._adc.fifo.push(int(code))
            channel.transfer()
            channel.transfer_alarm.cancel()
        channel._trans_count = count

    def _count_down(self, channel: Any, count: int) -> None:
        """The end of a transfer count: interrupt and chain, at once, so that no sample is lost in between."""
        channel._trans_count -= count
        if channel._trans_count:
            return
        channel._ctrl &= ~dma_model.BUSY
        if not channel._ctrl & dma_model.IRQ_QUIET:
            self._dma.int_raw |= 1 << channel.index
            self._dma.check_interrupts()
        if channel._chain_to != channel.index and channel._chain_to < len(self._dma.channels):
            chained = self._dma.channels[channel._chain_to]
            chained.start()
            self._run_unpaced(chained)

    @staticmethod
    def _run_unpaced(channel: Any) -> None:
        """A control block: a channel that waits for nothing runs to its end (and may start others by what it writes)."""
        while channel.active and channel.treq == dma_model.TREQ.PERMANENT:
            channel.transfer_alarm.cancel()
            channel.transfer()

    def _arm(self) -> None:
        """Wakes up when the current transfer count ends; without a reader nothing can happen that nobody looks at."""
        self._alarm.cancel()
        channel = self._reader() if self._running else None
        if channel is None:
            return
        threshold = self._adc.fcs >> adc_model.FCS_THRESH_SHIFT & adc_model.FCS_THRES_MASK
        missing = channel._trans_count + threshold - 1 - self._adc.fifo.item_count
        last = self._started + max(0, missing) - 1
        due = self._origin + last * self._period + CONVERSION_UNITS
        self._alarm.schedule(max(0.0, (due - self._now()) / UNITS_PER_NS))

    def _leave(self) -> None:
        """Hands the free run back to the per-sample model in the middle of whatever it is doing."""
        adc = self._adc
        self._running = False
        self._alarm.cancel()
        begun = self._begun()
        adc.busy = begun <= self._now()
        if adc.busy:
            adc.current_channel = adc._active_channel
            t_ns = np.array([(begun + UNITS_PER_NS // 2) // UNITS_PER_NS])
            adc.channel_values[adc.current_channel] = int(self._source.take(adc.current_channel, t_ns)[0])
            adc.sample_alarm.schedule(max(0.0, (begun + CONVERSION_UNITS - self._now()) / UNITS_PER_NS))
        else:
            adc.multi_shot_alarm.schedule((begun - self._now()) / UNITS_PER_NS)
        self._update_dma()
