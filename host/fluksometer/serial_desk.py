"""RS-485 as the bridge serves it: Modbus meters that are polled, and a socket for whoever wants to talk to the line."""

from collections import Counter
from collections.abc import Callable, Sequence

from fluksometer.adapters.serial_socket import Client, SerialSocket
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.line_turns import LineTurns
from fluksometer.domain.modbus_models import quantity_of
from fluksometer.domain.modbus_poll import Meter, Poller, Registers, Wrong
from fluksometer.domain.readings import Hello
from fluksometer.domain.terminal_readings import SerialBytes, SerialStatus, Terminal
from fluksometer.domain.told import ANEW_AFTER, ToldBook, ToldSensor
from fluksometer.shared.terminal_records import SERIAL_OUT

_POLLER = "poller"


class SerialDesk(Desk):
    """``ids`` answers the kept id of a meter's value by a name; ``tcp_port`` 0: no socket."""

    def __init__(
        self, meters: Sequence[Meter], turns: LineTurns, *, tcp_port: int, told: ToldBook, ids: Callable[[str], str]
    ) -> None:
        self._turns = turns
        self._poller = Poller(meters)
        self._told = told
        self._sensors = {
            (meter.address, name): _sensor(meter, name, ids(f"modbus {meter.address} {name}"))
            for meter in meters
            for name in meter.model.values
        }
        for sensor in self._sensors.values():
            told.know(sensor)
        self._socket = (
            SerialSocket(tcp_port, self, lambda why: self._warn("serial_socket", reason=why)) if tcp_port else None
        )
        self._time_s: float | None = None  # of the latest answer
        self._messages: list[Said] = []
        self._warnings: list[Fault] = []
        self._refused = 0  # bytes, by the board since its boot
        self._values: Counter[str] = Counter()  # taken and refused
        self._wake: Callable[[], None] = lambda: None

    # --- the line: what SerialSocket needs ---

    def ask(self, client: Client, data: bytes) -> None:
        """A client wants this sent."""
        self._turns.ask(client, data)
        self._wake()

    def forget(self, client: Client) -> None:
        """A client has gone."""
        self._turns.forget(client)

    # --- Desk ---

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> list[Said]:
        """Bytes go to whose turn it is: the poller, or one client; out of turn to all clients."""
        match reading:
            case SerialBytes(data=data):
                owner = self._turns.owner
                if owner == _POLLER:
                    self._time_s = time_s
                    outcome = self._poller.take(data)
                    if outcome:
                        self._turns.done()
                    self._answered(outcome)
                else:
                    self._turns.quiet_from(now_s)
                    for client in [owner] if isinstance(owner, Client) else self._clients():
                        client.give(data)
            case SerialStatus(refused=refused):
                if refused > self._refused:
                    self._warn("serial_refused", reason="the board had no room for what was to be sent", bytes=refused)
                self._refused = refused
        messages, self._messages = self._messages, []
        return messages

    def next_deadline_s(self) -> float | None:
        """The end of the present turn, or the next poll."""
        times_s = [one for one in (self._turns.next_deadline_s(), self._poller.next_due_s()) if one is not None]
        return min(times_s, default=None)

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """Ends and begins turns."""
        if hello is None or not hello.serial_baud:
            self._poller.give_up(now_s)
            self._free(self._turns.clear())
            return [], []
        request = self._poller.due(now_s)
        if request:
            self._turns.ask(_POLLER, request)
        ended, turn = self._turns.step(now_s)
        if ended == _POLLER:
            self._answered(self._poller.ended())
        elif ended:
            self._free([ended])
        messages, self._messages = self._messages, []
        return messages, [(SERIAL_OUT, (turn.data,))] if turn else []

    def summary(self) -> dict[str, object]:
        """Polls, values, and what went wrong by kind."""
        wrong = {f"modbus_{kind}": count for kind, count in sorted(self._poller.wrong.items())}
        counts = {f"modbus_{name}": count for name, count in sorted(self._values.items())}
        return {"modbus_polls": self._poller.polls, **counts, **wrong, "serial_refused": self._refused}

    def warnings(self) -> list[Fault]:
        """Since the last call."""
        warnings, self._warnings = self._warnings, []
        return warnings

    async def serve(self, wake: Callable[[], None]) -> None:
        """The socket."""
        self._wake = wake
        if self._socket:
            await self._socket.serve()

    # --- turns ---

    def _clients(self) -> list[Client]:
        return self._socket.clients if self._socket else []

    def _free(self, owners: Sequence[object]) -> None:
        for owner in owners:
            if isinstance(owner, Client):
                owner.finished()

    def _answered(self, outcome: tuple[Meter, Registers | Wrong] | None) -> None:
        if outcome is None:
            return
        meter, said = outcome
        if isinstance(said, Wrong):
            self._warn(f"modbus_{said.kind}", reason=f"meter {meter.address} ({meter.function}): {said.reason}")
        request, answers = self._poller.go_on()
        if request:
            self._turns.ask(_POLLER, request)
            self._wake()
        for name, value in meter.model.values.items():
            if meter.model.read_of(value) in answers:
                self._tell(meter, name, meter.model.milli(name, answers))

    def _tell(self, meter: Meter, name: str, milli: int | None) -> None:
        if milli is None:
            self._values["no_number"] += 1
            return
        sensor = self._sensors[meter.address, name]
        refused = self._told.refused[sensor.sensor_id]
        self._messages += self._told.take(sensor, milli, self._time_s)
        if self._told.refused[sensor.sensor_id] == refused:
            self._values["values"] += 1
            return
        self._values["fell"] += 1
        what = f"meter {meter.address} ({meter.function}): {name} fell: refused"
        reason = f"{what}; if the meter is a new one, a new series begins after {ANEW_AFTER} readings"
        self._warn("modbus_fell", reason=reason)

    def _warn(self, event: str, **fields: object) -> None:
        self._warnings.append((event, fields))
        self._wake()


def _sensor(meter: Meter, name: str, sensor_id: str) -> ToldSensor:
    quantity = quantity_of(name)
    return ToldSensor(
        sensor_id=sensor_id,
        sensor_class="uart",
        kind="electricity",
        function=f"{meter.function} {name.replace('_', ' ')}",
        unit=quantity.unit,
        counts=quantity.counts,
        replaceable=True,
        more=(("port", (6,)), ("address", meter.address)),
    )
