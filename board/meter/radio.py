# The radio terminal: an RFM12B or an RFM69CW, whichever answers. Packets go to the host, the host's go on the air when it is
# quiet; acks are the chip driver's. docs/radio.md says how it behaves.
import asyncio

from shared._compat import const
from shared.layout import RangeError
from shared.records import LOG, LOG_INFO, LOG_WARNING, RADIO_FLUKSO, RADIO_OFF
from shared.rf12 import MAX_PAYLOAD, frame, on_air
from shared.rf_chips import FLUKSO, JEENODE
from shared.terminal_records import PACKET, RADIO_LISTEN, RADIO_NONE, RADIO_SEND, RADIO_STATUS

from .radio_frames import AirTime, Inbox

_QUEUE_MAX = const(8)  # packets of the host that wait
_GIVE_UP_MS = const(1000)  # a kube waits 2.5 s for an answer, so that the host may ask again
_QUIET_MS = const(5)  # the air has to be quiet for so long, and for a random time more, before we send
_RANDOM_MS = const(15)  # at most this (a mask)
_ROUND_MS = const(50)
_LOOK_ROUNDS = const(20)  # 1 s: whether the chip is still there, and as it was set up
_AGAIN_ROUNDS = const(200)  # 10 s: whether there is one now


class Radio:
    """pins: exchange, select, irq_level, irq and reset, as wiring.py makes them; random(n) -> bytes; ticks in us."""

    def __init__(self, pins, clock, random, ticks_us, ticks_diff):
        self._pins = pins
        self._clock = clock
        self._random = random
        self._ticks = ticks_us, ticks_diff
        self._wake = asyncio.ThreadSafeFlag()  # set by the interrupt
        self._inbox = Inbox()
        self._air_time = AirTime()
        self._chip = None
        self._air = None  # None: off
        self._group = self._home = 212  # that we listen in, and that of the settings
        self._home_at_us = 0  # back then, if it is not the same
        self._changed = False  # settings have come, or the chip does not answer
        self._queue = []
        self._queued = asyncio.Event()
        self._send = self._keep = None
        self._told_missing = self._told_storm = False
        self._acks_before = 0  # of chips that were there before
        self._lost_told = 0
        self.sent = self.not_sent = self.resets = 0
        self.on_round = lambda: None
        self.handlers = {RADIO_SEND.kind: self._take_send, RADIO_LISTEN.kind: self._take_listen}

    # --- what the host wants ---

    def apply(self, settings):
        """Air and group of the settings; a pairing that runs goes on if they are the same as before."""
        air = None
        if settings.radio != RADIO_OFF:
            air = FLUKSO if settings.radio == RADIO_FLUKSO else JEENODE
        if (air, settings.radio_group) != (self._air, self._home):
            self._air = air
            self._group = self._home = settings.radio_group
            self._drop_chip()
        self._changed = True

    def _take_send(self, payload):
        group, header, data = RADIO_SEND.unpack(payload)
        if len(data) > MAX_PAYLOAD:
            raise RangeError("radio_send.payload: %d bytes at most, not %d" % (MAX_PAYLOAD, len(data)))
        if not self._chip or len(self._queue) >= _QUEUE_MAX:
            self.not_sent += 1
            return
        self._queue.append((self._clock.now_us() + _GIVE_UP_MS * 1000, on_air(frame(group, header, data))))
        self._queued.set()

    def _take_listen(self, payload):
        group, seconds = RADIO_LISTEN.unpack(payload)
        if not self._air:
            raise RangeError("radio_listen: the radio is off")
        self._home_at_us = self._clock.now_us() + seconds * 1000000
        self._listen(group if seconds else self._home)

    def _listen(self, group):
        if group == self._group:
            return
        self._group = group
        if self._chip:
            self._chip.listen(group)
        if self._send:
            self.report(self._send)

    # --- tasks ---

    async def run(self, send, keep):
        """Until stopped."""
        self._send, self._keep = send, keep
        await asyncio.gather(self._hear(), self._speak(), self._look_after())

    async def _hear(self):
        while True:
            await self._wake.wait()
            packet = self._inbox.take()
            while packet:
                ticks, group, header, rssi_dbm, acked, payload = packet
                record = PACKET.pack(self._clock.at_us(ticks), group, header, rssi_dbm, acked, payload)
                self._keep(((PACKET.kind, record),))
                packet = self._inbox.take()

    async def _speak(self):
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                until_us, framed = self._queue.pop(0)
                if await self._speak_one(until_us, framed):
                    self.sent += 1
                else:
                    self.not_sent += 1

    async def _speak_one(self, until_us, framed):
        # Whether it went out. The air must be quiet for a while first, not only now: others wait for the same moment.
        quiet, wait = 0, self._listening_ms()
        while self._chip and self._clock.now_us() < until_us:
            chip = self._chip
            if chip.busy():
                quiet, wait = 0, self._listening_ms()
            elif quiet < wait:
                quiet += 1
            elif not self._air_time.take(self._air_ms(framed)):
                return False
            elif chip.transmit(framed):
                return await self._has_gone(chip, framed)
            await asyncio.sleep_ms(1)
        return False

    def _listening_ms(self):
        return _QUIET_MS + (self._random(1)[0] & _RANDOM_MS)

    def _air_ms(self, framed):
        return len(framed) * 8000 // self._air.bit_rate + 1

    async def _has_gone(self, chip, framed):
        until_us = self._clock.now_us() + 2000 * self._air_ms(framed) + 20000
        while chip.sending and self._clock.now_us() < until_us:
            await asyncio.sleep_ms(1)
        cut = chip.sending or chip.lost
        chip.lost = cut
        return chip is self._chip and not cut

    async def _look_after(self):
        rounds = 0
        while True:
            now_us = self._clock.now_us()
            self._air_time.tick(now_us // 1000000)
            if self._group != self._home and now_us >= self._home_at_us:
                self._listen(self._home)
            if self._air and (self._changed or rounds >= (_LOOK_ROUNDS if self._chip else _AGAIN_ROUNDS)):
                self._changed = False
                rounds = 0
                await self._check()
            elif self._chip and self._chip.lost:
                self._set_up_again()
            rounds += 1
            self.on_round()
            await asyncio.sleep_ms(_ROUND_MS)

    async def _check(self):
        if self._chip and not self._chip.storm and await self._answers():
            return
        was = self._chip
        if was and was.storm and not self._told_storm:
            self._told_storm = True
            self._log(LOG_WARNING, "its interrupt line moves more than a radio's; tried again each second")
        self._drop_chip()
        await self._find()
        if self._chip:
            self.resets += bool(was)
            self._told_missing = False
            self.report(self._send)
        elif not self._told_missing:
            self._told_missing = True
            self._log(LOG_WARNING, "no chip answers on its pins")
            self.report(self._send)

    async def _answers(self):
        for _ in range(3):
            if self._chip.look():
                return True
            await asyncio.sleep_ms(3)
        return False

    def _set_up_again(self):
        self.resets += 1
        if not self._chip.set_up(self._air, self._group):
            self._changed = True

    def _drop_chip(self):
        if self._chip:
            self._acks_before += self._chip.acks
            self._chip.halt()
            self._chip = None

    async def _find(self):
        # Ask for an RFM69CW first: to an RFM12B that is a read of its status.
        pins = self._pins
        parts = (pins, self._inbox, self._air_time) + self._ticks + (self._wake.set,)
        pins.reset(1)
        await asyncio.sleep_ms(1)
        pins.reset(0)
        await asyncio.sleep_ms(10)
        asked, answer = bytes((0x10, 0)), bytearray(2)
        pins.select(0)
        pins.exchange(asked, answer)
        pins.select(1)
        if answer[1] == 0x24:  # RegVersion
            from .radio_rfm69 import Rfm69 as Chip
        else:
            from .radio_rfm12b import Rfm12b as Chip
        chip = Chip(*parts)
        if self._air and chip.set_up(self._air, self._group):
            self._chip = chip

    # --- what the host hears ---

    def report(self, send):
        """RADIO_STATUS, with each health record and when the group changes."""
        inbox, chip = self._inbox, self._chip
        send(
            RADIO_STATUS,
            self._clock.now_us(),
            chip.chip if chip else RADIO_NONE,
            self._group if chip else 0,
            inbox.received,
            inbox.bad_crc,
            inbox.bad_length,
            0,  # the chips hear no other group
            self.sent,
            self._acks_before + (chip.acks if chip else 0),
            self.not_sent,
            self.resets,
        )
        if inbox.lost != self._lost_told:
            self._log(LOG_INFO, "%d packets came faster than they were fetched" % (inbox.lost - self._lost_told))
            self._lost_told = inbox.lost

    def _log(self, level, text):
        self._send(LOG, level, self._clock.now_us(), "radio: " + text)
