"""The radio nodes of a house: kubes that pair, ask for new firmware and report, and plain nodes that want an ack.

A kube does what its boot loader and its program do (docs/radio.md): it listens only while it waits for an answer, repeats
no measurement, and doubles its pause while nobody pairs it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fluksometer.shared import kube as codec
from fluksometer.shared.rf12 import ACK, DST, Decoder, Packet, ack_header, frame, on_air
from fluksometer.shared.rf_chips import FLUKSO, JEENODE
from house.air import Air, Transmission, Tuning
from house.radiofile import ANSWERS_MS, SETTLES_MS, Kube, Node

_BACK_OFF_S: Final = (1.0, 65536.0)
_TURN_NS: Final = 5_000_000
"""From an answer to the next question: a boot loader writes a page of its flash and sets up its radio meanwhile."""

SOUNDS: Final = {
    name: Tuning(air.carrier_khz, 10e6 / 29 / round(10e6 / 29 / air.bit_rate), air.deviation_khz)
    for name, air in (("flukso", FLUKSO), ("jeenode", JEENODE))
}


@dataclass(slots=True)
class Asked:
    """A packet that wanted an answer: ``ack_ms`` from its end to the end of its ack, None if none came in time."""

    who: str
    at_s: float
    packet: Packet
    ack_ms: float | None = None
    answer_ms: float | None = None


class _Voice:
    """A node's transmitter and receiver."""

    def __init__(self, air: Air, who: str, sound: str, dbm: float) -> None:
        self._air, self.who, self._tuning, self._dbm = air, who, SOUNDS[sound], dbm
        self._group = 0  # listened in; 0: asleep
        self._since_ns = 0.0
        self._hear: Callable[[Packet], None] = lambda packet: None
        air.on_end.append(self._ended)

    def say(self, group: int, header: int, payload: bytes) -> Transmission:
        """Puts a packet on the air now."""
        data = on_air(frame(group, header, payload))
        return self._air.begin(self.who, self._tuning, self._dbm, data, whole=True)

    def listen(self, group: int, hear: Callable[[Packet], None]) -> None:
        """From now on to packets of a group."""
        self._group, self._hear, self._since_ns = group, hear, self._air.now_ns

    def sleep(self) -> None:
        """Hears nothing any more."""
        self._group = 0

    def _ended(self, sending: Transmission) -> None:
        if not self._group or sending.start_ns < self._since_ns or not self._tuning.hears(sending.tuning):
            return
        assert sending.end_ns is not None
        bits = [sending.bit(index) for index in range(8 * len(sending.data))]
        if self._air.spoilt(sending, sending.start_ns, sending.end_ns):
            return
        data = bytes(sum(bits[at + bit] << (7 - bit) for bit in range(8)) for at in range(0, len(bits), 8))
        for packet in Decoder(self._group).push(data):
            self._hear(packet)


class PlainNode:
    """Sends its payload again and again; ``asked`` tells which acks it got."""

    def __init__(self, air: Air, node: Node, asked: list[Asked]) -> None:
        self._air, self._node, self._asked = air, node, asked
        self._voice = _Voice(air, f"node {node.node}", node.air, node.dbm)
        self._left = node.count
        self._said_ns = 0.0
        self._send_alarm = air.clock.create_alarm(self._send)
        self._sent_alarm = air.clock.create_alarm(self._sent)
        self._wait_alarm = air.clock.create_alarm(self._voice.sleep)
        self._send_alarm.schedule(node.start_s * 1e9)

    def _send(self) -> None:
        if self._left == 0:
            return
        if self._left is not None:
            self._left -= 1
        node = self._node
        self._packet = Packet(node.group, node.node | (ACK if node.ack else 0), bytes.fromhex(node.payload))
        sending = self._voice.say(node.group, self._packet.header, self._packet.payload)
        assert sending.end_ns is not None
        self._sent_alarm.schedule(sending.end_ns - self._air.now_ns)
        self._send_alarm.schedule((node.period_s + self._air.random.random() * 0.02) * 1e9)

    def _sent(self) -> None:
        self._said_ns = self._air.now_ns
        if self._node.ack:
            self._asked.append(Asked(self._voice.who, self._said_ns / 1e9, self._packet))
            self._voice.listen(self._node.group, self._hear)
            self._wait_alarm.schedule(self._node.ack_ms * 1e6)

    def _hear(self, packet: Packet) -> None:
        if packet.header == ack_header(self._packet.header, len(self._packet.payload)) and not packet.payload:
            self._asked[-1].ack_ms = (self._air.now_ns - self._said_ns) / 1e6
            self._voice.sleep()


class KubeNode:
    """One kube. ``node`` is 0 until it is paired; ``image`` grows by the blocks that it downloads."""

    def __init__(self, air: Air, kube: Kube, asked: list[Asked]) -> None:
        self._air, self._kube, self._asked = air, kube, asked
        self._voice = _Voice(air, f"kube {kube.node}", "flukso", kube.dbm)
        self.hw_type = codec.FLK01A if kube.type == "a" else codec.FLK01B
        self.group, self.node = (kube.group, kube.node) if kube.paired else (0, 0)
        self.key = bytes(16)
        self.version = kube.version
        self.image = b""
        self._state = ""
        self._wanted = 0  # length of the real answer
        self._answer: Callable[[bytes], None] = lambda payload: None
        self._give_up: Callable[[], None] = lambda: None
        self._back_off_s = _BACK_OFF_S[0]
        self._counted = {"movement": 0, "vibration": 0}
        self._looks = 0
        self._asked_header = 0
        self._alarm = air.clock.create_alarm(self._due)
        self._next: Callable[[], None] = self._start
        self._later(kube.start_s, self._start)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._next = what
        self._alarm.schedule(max(0.0, seconds * 1e9))

    def _due(self) -> None:
        self._next()

    # --- questions: an empty answer within 250 ms, the real one within 2.5 s ---

    def _ask(
        self,
        group: int,
        header: int,
        payload: bytes,
        wanted: int,
        answer: Callable[[bytes], None],
        fail: Callable[[], None],
    ) -> None:
        sending = self._voice.say(group, header, payload)
        self._asked_header, self._wanted, self._answer, self._give_up = header, wanted, answer, fail
        self._packet = Packet(group, header, payload)
        assert sending.end_ns is not None
        self._later((sending.end_ns - self._air.now_ns) / 1e9, self._asked_it)

    def _asked_it(self) -> None:
        self._said_ns = self._air.now_ns
        self._asked.append(Asked(self._voice.who, self._said_ns / 1e9, self._packet))
        self._voice.listen(self._packet.group, self._heard)
        self._later(SETTLES_MS / 1e3, self._nobody)

    def _nobody(self) -> None:
        self._voice.sleep()
        self._give_up()

    def _heard(self, packet: Packet) -> None:
        if packet.header != self._asked_header ^ DST:
            return
        passed_ms = (self._air.now_ns - self._said_ns) / 1e6
        if not packet.payload:
            if self._asked[-1].ack_ms is None:
                self._asked[-1].ack_ms = passed_ms
                self._later((ANSWERS_MS - passed_ms) / 1e3, self._nobody)
        elif len(packet.payload) == self._wanted:
            self._asked[-1].answer_ms = passed_ms
            self._voice.sleep()
            self._alarm.cancel()
            self._answer(packet.payload)

    # --- boot loader ---

    def _start(self) -> None:
        self._counted = {"movement": 0, "vibration": 0}
        self._started_ns = self._air.now_ns
        self._back_off_s = _BACK_OFF_S[0]
        self._pair()

    def _pair(self) -> None:
        key_crc = codec.image_crc(self.key)
        payload = codec.encode_pair_request(self.hw_type, self.group, self.node, key_crc, self._kube.hardware_id)
        self._ask(codec.PAIR_GROUP, codec.PAIR_REQUEST, payload, 20, self._paired, self._not_paired)

    def _paired(self, payload: bytes) -> None:
        _hw_type, self.group, self.node, self.key = codec.decode_pair_reply(payload)
        self._later(_TURN_NS / 1e9, self._ask_upgrade)

    def _not_paired(self) -> None:
        if self.node:
            self._ask_upgrade()
            return
        self._later(self._back_off_s, self._pair)
        self._back_off_s = min(2 * self._back_off_s, _BACK_OFF_S[1])

    def _ask_upgrade(self) -> None:
        payload = codec.encode_upgrade(self.hw_type, self.version, len(self.image), codec.image_crc(self.image))
        self._ask(self.group, codec.REQUEST | self.node, payload, 8, self._told_newest, self._run)

    def _told_newest(self, payload: bytes) -> None:
        _hw_type, version, size, crc = codec.decode_upgrade(payload)
        if version == self.version or not size:
            self._run()
            return
        self._incoming, self._offered = bytearray(), (version, size, crc)
        self._later(_TURN_NS / 1e9, self._ask_block)

    def _ask_block(self) -> None:
        payload = codec.encode_download_request(self._offered[0], len(self._incoming) // codec.BLOCK)
        self._ask(self.group, codec.REQUEST | self.node, payload, 2 + codec.BLOCK, self._took_block, self._run)

    def _took_block(self, payload: bytes) -> None:
        version, size, crc = self._offered
        self._incoming += codec.decode_block(payload)[1]
        if len(self._incoming) < size:
            self._later(_TURN_NS / 1e9, self._ask_block)
            return
        if codec.image_crc(bytes(self._incoming)) == crc:
            self.image, self.version = bytes(self._incoming), version
        self._run()

    # --- program: measures, and counts ---

    def _run(self) -> None:
        self._looks = 0
        self._look()

    def _look(self) -> None:
        if (self._air.now_ns - self._started_ns) / 1e9 >= self._kube.restart_s:
            self._start()
            return
        packets = [self._measured()] if self._looks % 8 == 0 else []
        self._looks += 1
        self._tell(packets + self._counters())

    def _tell(self, packets: list[dict[str, Any]]) -> None:
        if not packets:
            self._later(self._kube.period_s / 8, self._look)
            return
        sending = self._voice.say(self.group, self.node, codec.encode(self.hw_type, packets[0]))
        assert sending.end_ns is not None
        seconds = (sending.end_ns - self._air.now_ns) / 1e9 + 0.005
        self._later(seconds, lambda: self._tell(packets[1:]))

    def _measured(self) -> dict[str, Any]:
        kube = self._kube
        values = {"temperature": kube.temperature_c, "humidity": kube.humidity_pct, "battery": kube.battery_v}
        values |= {"pressure": kube.pressure_pa, "light": kube.light_lx, "error": float(kube.error)}
        return {name: round(1000 * value) for name, value in values.items()}

    def _counters(self) -> list[dict[str, Any]]:
        passed_s = (self._air.now_ns - self._started_ns) / 1e9
        now = {"movement": int(passed_s * self._kube.movement_hz), "vibration": int(passed_s * self._kube.vibration_hz)}
        names = ("movement", "vibration") if self._kube.type == "b" else ("movement",)
        changed = [name for name in names if now[name] != self._counted[name]]
        self._counted |= now
        return [{name: now[name] % (65536 if name == "vibration" else 2**32) * 1000} for name in changed]
