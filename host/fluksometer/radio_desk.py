"""The radio: what kubes measure becomes readings, kubes are paired, named, removed and given new firmware."""

import secrets
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.kube_sensors import RunningCount, called, error_names, kube_sensor
from fluksometer.domain.kube_topics import (
    KubeLife,
    kube_config,
    kube_error,
    kube_list,
    kube_request,
    pair_seconds,
    pair_state,
    raw_packet,
)
from fluksometer.domain.kube_upgrade import Answers
from fluksometer.domain.kubes import Kube, KubeBook, KubeRefused, MakeId, kube_at, pair, remove, rename, told_version
from fluksometer.domain.readings import Hello
from fluksometer.domain.terminal_readings import RadioPacket, RadioStatus, Terminal
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import Message
from fluksometer.errors import StateFault
from fluksometer.shared.kube import (
    PAIR_GROUP,
    PAIR_REQUEST,
    REQUEST,
    KubeError,
    decode,
    decode_download_request,
    decode_pair_request,
    decode_upgrade,
    encode_pair_reply,
)
from fluksometer.shared.records import RADIO_FLUKSO
from fluksometer.shared.rf12 import ACK, CTL, DST, NODE
from fluksometer.shared.terminal_records import RADIO_LISTEN, RADIO_NONE, RADIO_SEND

SILENT_S = 3 * 64.0  # a kube measures every 64 s
_LOOK_EVERY_S = 60.0
_UPGRADE_BYTES = 8  # of an upgrade request; else it is a download request
_REQUESTS = 8  # that may wait for the next step


@dataclass(frozen=True, slots=True)
class RadioPlace:
    """Whose radio it is. ``network``: RADIO_FLUKSO or RADIO_JEENODE; ``key``: 16 bytes, what paired kubes are given."""

    device_id: str
    network: int
    group: int
    key: bytes


class RadioDesk(Desk):
    """``file`` keeps the kubes; nothing about them is changed before it is on the disk."""

    def __init__(
        self,
        place: RadioPlace,
        file: KubeFile,
        images: ImageFolder,
        told: ToldBook,
        make_id: MakeId = lambda: secrets.token_hex(16),
    ) -> None:
        """Raises StateFault when the file is damaged."""
        self._place, self._file, self._images, self._told, self._make_id = place, file, images, told, make_id
        self._book = file.read()
        self._book_changed = True
        self._requests: deque[tuple[str, bytes]] = deque(maxlen=_REQUESTS)
        self._asks: list[Ask] = []
        self._answers = Answers()
        self._pair_until_s: float | None = None  # the pairing is open
        self._boot_id: int | None = None  # of the board that listens; None: nobody does
        self._since_s = 0.0  # it has listened since then
        self._look_at_s = 0.0
        self._status: RadioStatus | None = None
        self._lives: dict[int, KubeLife] = {}
        self._counts: dict[str, RunningCount] = {}  # by sensor id
        self._totals: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._know_sensors()

    # --- the bridge calls ---

    def want(self, topic: str, payload: bytes) -> None:
        """Keeps requests to pair, and about kubes. (The captures' filter lets all requests in.)"""
        for what in ("pair", "kube"):
            if topic == f"/device/{self._place.device_id}/request/{what}":
                self._requests.append((what, payload))

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> Sequence[Said]:
        """A packet, or how the radio fares."""
        if isinstance(reading, RadioStatus):
            self._status = reading
            if reading.chip == RADIO_NONE:
                self._warn("radio_no_chip", "no radio answers the board: see docs/wiring.md, or leave [radio] out")
        if isinstance(reading, RadioPacket):
            self._totals["packets"] += 1
            return self._take_packet(reading, time_s, now_s)
        return []

    def next_deadline_s(self) -> float | None:
        """When the pairing closes, an answer is due, or silent kubes are to be named."""
        times = (self._pair_until_s, self._answers.next_deadline_s(), self._look_at_s)
        return min(time_s for time_s in times if time_s is not None)

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """Serves requests, sends answers, ends the pairing."""
        messages = self._watch_board(hello, now_s)
        if self._pair_until_s is not None and now_s >= self._pair_until_s:
            messages.append(self._close_pairing())
        while self._requests:
            what, payload = self._requests.popleft()
            serve = self._open_pairing if what == "pair" else self._serve_kube
            messages.append(serve(payload, hello, now_s))
        if answer := self._answers.due(now_s):
            node, reply = answer
            self._asks.append((RADIO_SEND, (self._place.group, REQUEST | DST | node, reply)))
        self._name_silent(now_s)
        if self._book_changed:
            self._book_changed = False
            messages.append(kube_config(self._place.device_id, self._place.group, self._book))
        asks, self._asks = self._asks, []
        return messages, asks

    def summary(self) -> dict[str, object]:
        """Packets heard, those that were nobody's or not understood, and what the board tells of damage."""
        told: dict[str, object] = {f"radio_{what}": self._totals[what] for what in ("packets", "unknown", "refused")}
        if self._status:
            told["radio_damaged"] = self._status.bad_crc + self._status.bad_length
            told["radio_not_sent"] = self._status.not_sent
        return told

    def warnings(self) -> list[Fault]:
        """See Desk."""
        faults, self._faults = self._faults, []
        return faults

    def state(self) -> dict[str, Any]:
        """As Desk: the counts of kubes."""
        return {f"kube {one}": count.state() for one, count in self._counts.items()}

    def restore(self, states: Mapping[str, Any]) -> None:
        """As Desk."""
        for kube in self._book.kubes.values():
            for name, sensor_id in kube.sensors.items():
                if state := states.get(f"kube {sensor_id}"):
                    self._counts[sensor_id] = RunningCount(name)
                    self._counts[sensor_id].restore(state)

    def _warn(self, event: str, reason: str) -> None:
        self._faults.append((event, {"reason": reason}))

    def _watch_board(self, hello: Hello | None, now_s: float) -> list[Said]:
        # A board that is gone, or has started anew, listens in its own group again, and answers reach nobody.
        boot_id = hello.boot_id if hello and hello.radio == self._place.network else None
        if boot_id == self._boot_id:
            return []
        self._boot_id, self._since_s = boot_id, now_s
        self._answers, self._status = Answers(), None
        if self._pair_until_s is None:
            return []
        self._pair_until_s = None
        return [pair_state(self._place.device_id, "closed", error="the board has started anew: try again")]

    # --- packets ---

    def _take_packet(self, packet: RadioPacket, time_s: float | None, now_s: float) -> Sequence[Said]:
        kubes_here = self._place.network == RADIO_FLUKSO
        if self._pair_until_s is not None and packet.group == PAIR_GROUP and packet.header == PAIR_REQUEST:
            return self._pair(packet, now_s)
        if packet.group != self._place.group:
            return []  # what else is said while the pairing is open
        node, kind = packet.header & NODE, packet.header & (CTL | DST | ACK)
        kube = self._book.at(node) if kubes_here else None
        if kubes_here and kind == REQUEST:
            self._take_control(packet, now_s)
            return []
        if kind & CTL:
            return []  # somebody's ack
        if kube is None or kind & DST:
            if kubes_here:
                self._totals["unknown"] += 1
                self._warn("radio_unknown_node", f"a packet of node {node} is no kube's of this house")
            return [raw_packet(self._place.device_id, packet, time_s)]
        try:
            values = decode(kube.hw_type, packet.payload)
        except KubeError as error:
            self._refuse(f"{called(node, kube)}: {error}")
            return []
        self._note(node, kube, packet, values, now_s)
        return self._tell(node, kube, values, time_s)

    def _refuse(self, reason: str) -> None:
        self._totals["refused"] += 1
        self._warn("radio_refused", reason)

    def _note(self, node: int, kube: Kube, packet: RadioPacket, values: dict[str, int | None], now_s: float) -> None:
        life = self._hear(packet, now_s)
        error = values.get("error")
        if error is not None:
            life.battery_mv, life.errors = values["battery"], error_names(kube, error // 1000)
            if life.errors:
                self._warn("kube_error", f"{called(node, kube)}: {', '.join(life.errors)}")

    def _hear(self, packet: RadioPacket, now_s: float) -> KubeLife:
        life = self._lives.setdefault(packet.header & NODE, KubeLife(now_s))
        life.heard_s, life.rssi_dbm = now_s, packet.rssi_dbm
        return life

    def _tell(self, node: int, kube: Kube, values: dict[str, int | None], time_s: float | None) -> Sequence[Said]:
        messages = []
        for name, milli in values.items():
            if milli is None:  # its sensor failed
                continue
            sensor = kube_sensor(node, kube, name)
            if sensor.counts:
                total = self._counts.setdefault(sensor.sensor_id, RunningCount(name)).take(milli // 1000)
                if total is None:
                    continue
                milli = total * 1000
            messages += self._told.take(sensor, milli, time_s)
        return messages

    # --- new firmware ---

    def _take_control(self, packet: RadioPacket, now_s: float) -> None:
        node, payload, reply = packet.header & NODE, packet.payload, None
        if not payload:
            return  # somebody's ack
        try:
            reply = self._offer(node, payload) if len(payload) == _UPGRADE_BYTES else self._block(node, payload)
            self._hear(packet, now_s)
        except (KubeError, KubeRefused) as error:
            self._refuse(f"request of node {node}: {error}")
        for fault in self._images.faults:
            self._warn("kube_image", fault)
        self._answers.add(node, reply, now_s)

    def _offer(self, node: int, payload: bytes) -> bytes:
        # A kube asks this each time it starts. Without a newer image it is told its own, so that it goes on with that.
        hw_type, version, _size, _crc = decode_upgrade(payload)
        book = told_version(self._book, node, hw_type, version)
        self._count_anew(kube_at(book, node))
        if book != self._book:
            self._keep(book)
        image = self._images.newest(hw_type)
        return image.offer() if image and image.version >= version else payload

    def _count_anew(self, kube: Kube) -> None:
        # What pairs or asks for upgrades is the boot loader: the kube has just started, and counts from 0.
        for sensor_id in kube.sensors.values():
            if sensor_id in self._counts:
                self._counts[sensor_id].restarted = True

    def _block(self, node: int, payload: bytes) -> bytes:
        kube = kube_at(self._book, node)
        version, _block = decode_download_request(payload)
        image = self._images.newest(kube.hw_type, version)
        if image is None:
            raise KubeRefused(f"there is no image of version {version} in {self._images.folder}")
        return image.block(payload)

    # --- pairing ---

    def _open_pairing(self, payload: bytes, hello: Hello | None, now_s: float) -> Message:
        device_id = self._place.device_id
        try:
            seconds = pair_seconds(payload)
            self._check_radio(hello)
        except KubeRefused as refused:
            return pair_state(device_id, "closed", error=str(refused))
        self._asks.append((RADIO_LISTEN, (PAIR_GROUP, seconds)))
        if not seconds:
            return self._close_pairing()
        self._pair_until_s = now_s + seconds
        return pair_state(device_id, "open", seconds=seconds)

    def _check_radio(self, hello: Hello | None) -> None:
        if self._place.network != RADIO_FLUKSO:
            raise KubeRefused('kubes are heard with network = "flukso" only')
        if hello is None:
            raise KubeRefused("no board is there")
        if hello.radio != self._place.network or hello.radio_group != self._place.group:
            raise KubeRefused("the board is being set: try again")
        if self._status and self._status.chip == RADIO_NONE:
            raise KubeRefused("no radio answers the board")

    def _close_pairing(self) -> Message:
        self._pair_until_s = None
        return pair_state(self._place.device_id, "closed")

    def _pair(self, packet: RadioPacket, now_s: float) -> list[Said]:
        device_id = self._place.device_id
        try:
            hw_type, _group, _node, _key_crc, hw_id = decode_pair_request(packet.payload)
            known = self._book.node_of(hw_id.hex()) is not None
            book, node = pair(self._book, hw_type, hw_id.hex(), self._make_id)
            self._keep(book)
        except (KubeError, KubeRefused) as refused:
            self._refuse(str(refused))
            return [pair_state(device_id, "refused", error=str(refused))]
        # Back to the own group before the answer: the kube asks for upgrades there right behind it.
        self._asks.append((RADIO_LISTEN, (PAIR_GROUP, 0)))
        reply = encode_pair_reply(hw_type, self._place.group, node, self._place.key)
        self._asks.append((RADIO_SEND, (PAIR_GROUP, REQUEST, reply)))
        self._pair_until_s = None
        self._lives[node] = KubeLife(now_s, packet.rssi_dbm)
        kube = kube_at(book, node)
        self._count_anew(kube)
        return [pair_state(device_id, "paired", node=node, name=kube.name, hw_id=kube.hw_id, known=known)]

    # --- the book ---

    def _serve_kube(self, payload: bytes, _hello: Hello | None, now_s: float) -> Message:
        device_id = self._place.device_id
        try:
            request = kube_request(payload)
            if request.node is not None and request.name is not None:
                self._keep(rename(self._book, request.node, request.name))
            elif request.node is not None:
                self._keep(remove(self._book, request.node))
        except KubeRefused as refused:
            return kube_error(device_id, str(refused))
        return kube_list(device_id, self._book, self._lives, now_s)

    def _keep(self, book: KubeBook) -> None:
        try:
            self._file.write(book)
        except StateFault as fault:
            raise KubeRefused(str(fault)) from fault
        kept = {sensor_id for kube in book.kubes.values() for sensor_id in kube.sensors.values()}
        for node, kube in self._book.kubes.items():
            for sensor_id in set(kube.sensors.values()) - kept:
                self._told.forget(sensor_id)
                self._counts.pop(sensor_id, None)
            if node not in book.kubes:
                self._lives.pop(int(node), None)
        self._book, self._book_changed = book, True
        self._know_sensors()

    def _know_sensors(self) -> None:
        for node, kube in self._book.kubes.items():
            for name in kube.sensors:
                self._told.know(kube_sensor(int(node), kube, name))

    def _name_silent(self, now_s: float) -> None:
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + _LOOK_EVERY_S
        if self._boot_id is None or self._place.network != RADIO_FLUKSO:
            return
        for node, kube in self._book.kubes.items():
            life = self._lives.get(int(node))
            silent_s = now_s - max(self._since_s, life.heard_s if life else self._since_s)
            if silent_s > SILENT_S:
                self._warn("kube_silent", f"{called(int(node), kube)}: not heard for 3 minutes: battery, or distance?")
