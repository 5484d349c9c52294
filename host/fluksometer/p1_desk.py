"""The smart meter's desk: telegrams from the board's P1 port or from a cable of the host's own become values of sensors."""

import asyncio
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from fluksometer.adapters.p1_cable import Arrival, P1Cable
from fluksometer.domain.board_clock import CLOCK_SET_S, WAIT_S
from fluksometer.domain.desk import Ask, Desk, Fault
from fluksometer.domain.p1 import Telegram, read
from fluksometer.domain.p1_codes import is_known
from fluksometer.domain.p1_pieces import P1Pieces
from fluksometer.domain.p1_sensors import Value, phase_volts, values
from fluksometer.domain.p1_stream import CUT_OFF, WRONG_CRC, WRONG_FORM, Decrypt, Opener
from fluksometer.domain.p1_trust import Trust
from fluksometer.domain.points import Point
from fluksometer.domain.readings import Hello
from fluksometer.domain.terminal_readings import P1Piece, P1Status, Terminal
from fluksometer.domain.told import ToldBook, ToldSensor
from fluksometer.domain.topics import decimal
from fluksometer.shared.p1 import NONE, OK
from fluksometer.shared.p1 import Telegram as RawTelegram
from fluksometer.shared.p1_wire import decode
from fluksometer.shared.terminal_records import P1_CRC_OK, P1_FRAME

VOLTAGE_HOLDS_S = 30.0
"""So long a voltage counts as the present one: the slowest meters tell it every 10 s, and one telegram may be lost."""
SILENT_S = 60.0
_SILENT = "no telegram for a minute: is the cable right, and has the grid operator opened the port?"
_LEAST_VOLT_MILLI = 50_000  # less is a line that is not connected
_METERS_MOST = 16  # ids of meters in one run: a fault that makes up ids can't fill the state directory
_UNKNOWN_MOST = 100  # different codes that are remembered
_AHEAD_S = 86_400  # a device's own time further ahead of the host's is no time
_MENDS = {
    "not_opened": "the key in p1.key_file is that of another meter, or there is none",
    WRONG_CRC: "check the cable: its length, the ground, a pull-up of 1 to 10 kohm",
}


class P1Desk(Desk):
    """Publishes what the meter tells. ``ids`` answers the lasting id of a sensor by its lasting name."""

    def __init__(
        self,
        told: ToldBook,
        ids: Callable[[str], str],
        *,
        decrypt: Decrypt | None = None,
        winter_h: int = 1,
        cable: P1Cable | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        """``cable``: of the host's own; without one it is the board's port. ``faults``: to warn of at the start."""
        self._told, self._ids, self._winter_h, self._cable = told, ids, winter_h, cable
        self._opener = Opener(decrypt)
        self._pieces = P1Pieces()
        self._trust = Trust()
        self._counts: Counter[str] = Counter()
        self._faults: list[Fault] = list(faults)
        self._bad: Counter[str] = Counter()  # of the line, as seen last
        self._shown: dict[str, str] = {}  # sensors of the present meter: id by function
        self._meter = ""  # id of the one that is read
        self._owners: set[str] = set()  # ids of meters and devices that were believed
        self._last_ids: set[str] = set()  # those of the last telegram
        self._unknown: set[str] = set()
        self._offset_s = 0.0  # of the host's clock to the monotonic one, at the last telegram by cable
        self._heard_s: float | None = None  # when a telegram came last, or its absence was told (monotonic)
        self._port: dict[str, object] = {}  # how the board's port fares
        self._volts: dict[int, tuple[int, float]] = {}  # by line: mV, and when (monotonic)

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> list[Point]:
        """As Desk: a piece of a telegram, or how the board's port fares."""
        if self._cable is not None:
            return []
        if isinstance(reading, P1Status):
            self._port = {"baud": reading.baud or "not found", "bytes_in": reading.bytes_in}
            self._line_lost({WRONG_CRC: reading.bad_crc, WRONG_FORM: reading.bad_form, CUT_OFF: reading.cut})
        if not isinstance(reading, P1Piece):
            return []
        lost = self._pieces.lost
        whole = self._pieces.take(reading)
        if self._pieces.lost > lost:
            self._lost("pieces_lost", "a record of it did not arrive", self._pieces.lost - lost)
        if whole is None:
            return []
        self._heard_s = now_s
        if reading.form == P1_FRAME:
            return self._take_frame(whole, time_s, now_s)
        try:
            raw = decode(whole, OK if reading.form == P1_CRC_OK else NONE, reading.left_out)
        except ValueError as error:
            self._lost("not_understood", str(error))
            return []
        return self._take_telegram(raw, time_s, now_s)

    def next_deadline_s(self) -> float | None:
        """As Desk: when the silence is worth a word."""
        return None if self._heard_s is None else self._heard_s + SILENT_S

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Point], list[Ask]]:
        """As Desk: what came by the host's own cable."""
        if self._heard_s is None or (hello is None and self._cable is None):
            self._heard_s = now_s  # a board that is not there is told of elsewhere
        if now_s - self._heard_s >= SILENT_S:
            self._heard_s = now_s
            self._faults.append(("p1_silent", {"reason": _SILENT} | self._port))
        if self._cable is None:
            return [], []
        self._line_lost(self._cable.bad)
        self._faults += self._cable.faults()
        return [message for arrival in self._cable.arrived() for message in self._take_arrival(arrival)], []

    def voltages(self, now_s: float) -> dict[int, Fraction]:
        """As Desk: of each line, as the meter told it within VOLTAGE_HOLDS_S."""
        fresh = {phase: milli for phase, (milli, told_s) in self._volts.items() if now_s - told_s <= VOLTAGE_HOLDS_S}
        return {phase: Fraction(milli, 1000) for phase, milli in fresh.items()}

    def summary(self) -> dict[str, object]:
        """As Desk."""
        counts = +self._counts + Counter({f"bad_{key.replace(' ', '_')}": count for key, count in self._bad.items()})
        return {f"p1_{key}": counts[key] for key in sorted({"telegrams", *counts})}

    def warnings(self) -> list[Fault]:
        """As Desk."""
        faults, self._faults = self._faults, []
        return faults

    async def serve(self, wake: Callable[[], None]) -> None:
        """As Desk: the cable's thread."""
        if self._cable is None:
            return
        self._cable.start(wake)
        try:
            await asyncio.get_running_loop().create_future()  # until cancelled
        finally:
            await asyncio.shield(asyncio.to_thread(self._cable.stop))

    # --- telegrams ---

    def _take_arrival(self, arrival: Arrival) -> list[Point]:
        self._heard_s = arrival.time.mono_s
        offset_s = arrival.time.wall_s - arrival.time.mono_s
        if offset_s < self._offset_s - WAIT_S:
            self._told.clock_set_back()  # no board may be there to notice
        self._offset_s = offset_s
        time_s = arrival.time.wall_s if arrival.time.wall_s >= CLOCK_SET_S else None
        if isinstance(arrival.said, RawTelegram):
            return self._take_telegram(arrival.said, time_s, arrival.time.mono_s)
        return self._take_frame(arrival.said.data, time_s, arrival.time.mono_s)

    def _take_frame(self, frame: bytes, time_s: float | None, now_s: float) -> list[Point]:
        bad = self._opener.bad
        raws = self._opener.open(frame)
        for reason in self._opener.bad - bad:
            self._lost("not_opened", f"{reason}: {_MENDS['not_opened']}")
        return [message for raw in raws for message in self._take_telegram(raw, time_s, now_s)]

    def _take_telegram(self, raw: RawTelegram, time_s: float | None, now_s: float) -> list[Point]:
        telegram = read(raw, self._winter_h)
        told = values(telegram)
        believed = self._believed(telegram, told)
        if telegram.meter_id not in believed:
            self._counts["unconfirmed"] += 1
            return []
        self._counts["telegrams"] += 1
        self._counts["left_out"] += telegram.left_out
        self._name_unknown(telegram)
        for phase, milli in phase_volts(telegram).items():
            if milli >= _LEAST_VOLT_MILLI:
                self._volts[phase] = milli, now_s
        sensors = [(self._sensor(value), value) for value in told if value.meter in believed]
        self._forget_others({sensor.function: sensor.sensor_id for sensor, _ in sensors}, telegram.meter_id)
        taken = (self._take_value(sensor, value, telegram, time_s, now_s) for sensor, value in sensors)
        return [message for messages in taken for message in messages]

    def _forget_others(self, shown: dict[str, str], meter_id: str) -> None:
        # Another meter has other sensors of the same names; those of the one before are shown no more, and keep their ids.
        swapped = meter_id != self._meter
        for function, sensor_id in self._shown.items():
            if shown.get(function, None if swapped else sensor_id) != sensor_id:
                self._told.forget(sensor_id)
        self._meter, self._shown = meter_id, shown if swapped else self._shown | shown

    def _take_value(
        self, sensor: ToldSensor, value: Value, telegram: Telegram, time_s: float | None, now_s: float
    ) -> list[Point]:
        one, told = sensor.sensor_id, self._told
        number = f"{decimal(value.milli)} {value.unit}"
        if value.counts and not value.falls:
            if not self._trust.believes(one, value.milli, value.unit, now_s, sure=telegram.crc == OK):
                self._counts["doubted"] += 1
                if self._trust.knows(one):
                    reason = f"{value.function} of {value.meter} jumped: taken when the next telegram agrees"
                    self._faults.append(("p1_doubted", {"reason": reason, "to": number}))
                return []
            refused = told.refused[one]
            messages = told.take(sensor, value.milli, _own_time_s(value, time_s))
            if told.refused[one] > refused:
                reason = (
                    f"{value.function} of {value.meter} fell: refused. Another meter without an id, or a damaged one?"
                )
                self._lost("fell", reason, to=number)
            return messages
        messages = told.take(sensor, value.milli, _own_time_s(value, time_s))
        if value.flow_milli is not None:
            messages += told.take_flow(sensor, value.flow_milli, "W", time_s)
        return messages

    def _sensor(self, value: Value) -> ToldSensor:
        return ToldSensor(
            sensor_id=self._ids(value.slot),
            sensor_class="cosem",
            kind=value.kind,
            function=value.function,
            unit=value.unit,
            counts=value.counts,
            falls=value.falls,
            steady=value.steady,
            more=(("meter", value.meter),),
        )

    # --- whom to believe ---

    def _believed(self, telegram: Telegram, told: list[Value]) -> set[str]:
        # Ids of meters and devices in a telegram. Without a CRC one may be damaged, and would make sensors of its own: the telegram
        # before has to have it too.
        ids = {telegram.meter_id, *(value.meter for value in told)}
        known = ids if telegram.crc == OK else ids & (self._owners | self._last_ids)
        self._last_ids = ids
        for one in sorted(known - self._owners):
            if len(self._owners) >= _METERS_MOST:
                reason = f"more than {_METERS_MOST} meters and devices since the start: what is it that changes its id?"
                self._lost("too_many_meters", reason)
                break
            self._owners.add(one)
        return known & self._owners

    def _name_unknown(self, telegram: Telegram) -> None:
        for code in telegram.registers:
            if is_known(code):
                continue
            self._counts["unknown_codes"] += 1
            if code not in self._unknown and len(self._unknown) < _UNKNOWN_MOST:
                self._unknown.add(code)
                self._faults.append(("p1_unknown_code", {"reason": f"{code} is not known: it is published nowhere"}))

    # --- what was lost ---

    def _line_lost(self, bad: dict[str, int]) -> None:
        for reason, count in bad.items():
            if count > self._bad[reason]:
                fields = {"reason": reason} | ({"note": _MENDS[reason]} if reason in _MENDS else {})
                self._faults.append(("p1_lost", fields | {"count": count}))
            self._bad[reason] = count

    def _lost(self, what: str, reason: str, count: int = 1, **more: object) -> None:
        self._counts[what] += count
        self._faults.append((f"p1_{what}", {"reason": reason} | more))


def _own_time_s(value: Value, time_s: float | None) -> float | None:
    # A reading that has its own time has happened then, unless that can't be. The rest is true as it arrives.
    if value.time is None or time_s is None:
        return time_s
    own_s = value.time.timestamp()
    return own_s if own_s <= time_s + _AHEAD_S else time_s
