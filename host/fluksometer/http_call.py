"""Calls to one HTTP server, from a thread that may block: one connection that is kept, bounded answers, reasons for people."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message as Headers
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fluksometer.sinks import Undelivered

_TIMEOUT_S: Final = 10.0  # for the connection, and for each part of an answer
_MOST_ANSWER: Final = 65_536  # bytes; whatever comes behind is not read


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Headers
    body: bytes

    @property
    def retry_after_s(self) -> float:
        """How long it asks to be left alone, an hour at most; 0: it does not."""
        text = self.headers.get("Retry-After", "")
        return min(float(text), 3600.0) if text.isascii() and text.isdigit() else 0.0

    @property
    def text(self) -> str:
        """The beginning of its body on one line, for a person."""
        return " ".join(self.body[:300].decode("utf-8", "replace").split())


class HttpCaller:
    """Posts to one server. Not for two threads at once."""

    def __init__(self, url: str, *, ca_file: Path | None = None, timeout_s: float = _TIMEOUT_S) -> None:
        """``url``: with http or https and perhaps a path, which every call's path is put behind. ``ca_file``: PEM, of a
        certificate authority of one's own. Raises OSError when it can't be read, ValueError when it holds no certificate."""
        parts = urlsplit(url)
        self._host, self._prefix = parts.hostname or "", parts.path.rstrip("/")
        self._port, self._timeout_s = parts.port, timeout_s
        self._tls = _context(ca_file) if parts.scheme == "https" else None
        self.server = f"{parts.scheme}://{parts.netloc}"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The server's answer, whatever its status. Raises Undelivered when there is none.

        A connection that was kept may have been closed meanwhile: then the call is made once more on a new one, so it must not
        matter when it arrives twice.
        """
        if self._connection is not None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._post(self._connection, path, body, headers)
            self.close()
        try:
            return self._post(self._new_connection(), path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Undelivered(f"{self.server} {_reason(error)}") from error

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _new_connection(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _post(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        self._connection = connection
        connection.request("POST", self._prefix + path, body=body, headers=dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read(_MOST_ANSWER))
        if not response.isclosed():  # there is more
            self.close()
        return answer


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError as error:
            raise ValueError("holds no certificate in PEM form") from error
    return context


def _reason(error: OSError | http.client.HTTPException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"does not speak TLS as it should: {error.reason or error}"
        case ConnectionRefusedError():
            return "refuses the connection: does it run?"
        case socket.gaierror():
            return f"is not known by its name: {error.strerror}"
        case TimeoutError():
            return "does not answer in time"
        case http.client.HTTPException() | ConnectionError():
            return "answers with no HTTP, or hangs up: is it the right port, and http or https?"
    return f"can't be reached: {error.strerror or error}"
