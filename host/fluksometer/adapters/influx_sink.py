"""Writes readings to InfluxDB or VictoriaMetrics, behind a cursor (docs/fleet.md)."""

import base64
import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from fluksometer.domain.influx_answers import Judged, Verdict, judge
from fluksometer.domain.line_protocol import LineWriter
from fluksometer.domain.sensor_labels import Label
from fluksometer.http_call import HttpCaller
from fluksometer.outbox import Numbered
from fluksometer.sinks import BatchSink, Seat, Undelivered

MOST_LINES: Final = 5000
SETTLE_S: Final = 30.0
"""A VictoriaMetrics that is killed loses what it has acknowledged in its last seconds (measured: docs/fleet.md)."""
_TRIES_OF_ALL: Final = 40  # calls for one batch of which nothing at all is taken
_LABEL_WAIT_S: Final = 1.0  # a sensor's first reading may come an instant before its name


class InfluxWriter:
    """``deliver`` is a BatchSink's. ``refused``: points that the engine takes by no means, since the start."""

    def __init__(
        self,
        caller: HttpCaller,
        writer: LineWriter,
        *,
        target: Mapping[str, str],
        authorization: str,
        labels: Callable[[], Mapping[str, Label]],
        tell: Callable[[str], None],
    ) -> None:
        """``target``: ``db``, or ``org`` and ``bucket``. ``authorization``: that header, empty for none. ``tell`` is called, in the
        sink's thread, with the reason why points were refused."""
        self.refused = 0
        path = "/api/v2/write" if "bucket" in target else "/write"
        self._path = f"{path}?{urlencode({**target, 'precision': 's'})}"
        self._place = target.get("bucket") or target["db"]
        self._headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        if authorization:
            self._headers["Authorization"] = authorization
        self._caller, self._writer, self._labels, self._tell = caller, writer, labels, tell
        self._unnamed: set[str] = set()  # sensors of which it was waited for a name, in vain

    def deliver(self, points: Sequence[Numbered]) -> None:
        """Returns when the engine has them all, but those that it will never take. Raises Undelivered."""
        labels = self._labels_of(points)
        lines = [self._writer.line(point, labels) for _, point in points]
        taken, refused, reason = self._write(lines)
        if refused:
            if not taken and "beyond retention policy" not in reason:
                raise Undelivered(f"nothing is taken: {reason}")  # it is not the points that are wrong
            self.refused += refused
            self._tell(f"{refused} readings were refused for good: {reason}")

    def _write(self, lines: list[str]) -> tuple[int, int, str]:
        # How many are taken, how many are not, and why. A batch with something wrong in it is cut in two, again and again.
        todo, taken, refused, reason, calls = [lines], 0, 0, "", 0
        while todo:
            part = todo.pop()
            found, calls = self._call(part), calls + 1
            match found.verdict:
                case Verdict.TAKEN:
                    refused += found.dropped
                    taken += len(part) - found.dropped
                    reason = found.reason or reason
                case Verdict.REFUSED if len(part) == 1:
                    refused, reason = refused + 1, found.reason
                case Verdict.REFUSED | Verdict.TOO_LARGE if len(part) > 1:
                    half = len(part) // 2
                    todo += [part[half:], part[:half]]
                case _:
                    raise Undelivered(found.reason)
            if not taken and calls >= _TRIES_OF_ALL:
                raise Undelivered(f"nothing is taken: {reason or found.reason}")
        return taken, refused, reason

    def _call(self, lines: list[str]) -> Judged:
        body = gzip.compress("\n".join(lines).encode(), compresslevel=6)
        answer = self._caller.post(self._path, body, self._headers)
        found = judge(answer.status, answer.body, place=self._place)
        if found.verdict is Verdict.WAIT:
            raise Undelivered(f"{self._caller.server}: {found.reason}", answer.retry_after_s)
        return found

    def _labels_of(self, points: Sequence[Numbered]) -> Mapping[str, Label]:
        ids = {point.sensor_id for _, point in points} - self._unnamed
        if ids - self._labels().keys():
            time.sleep(_LABEL_WAIT_S)
            self._unnamed |= ids - self._labels().keys()
        return self._labels()


def influx_sink(writer: InfluxWriter, seat: Seat, *, batch_s: float, settle_s: float = SETTLE_S) -> BatchSink:
    """The sink "influx": a batch each ``batch_s`` seconds, or more at once behind an outage."""
    return BatchSink(
        "influx", writer.deliver, seat, most=MOST_LINES, every_s=batch_s, retry_most_s=60.0, settle_s=settle_s
    )


def basic(username: str, password: str) -> str:
    """The header Authorization of HTTP basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
