"""What every request passes first: sizes, the name it was asked by; and what every response is given."""

import ipaddress
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .table import Refused

TARGET_MOST: Final = 4096  # bytes of path and query
HEAD_MOST: Final = 16_384  # bytes of all headers
BODY_MOST: Final = 1 << 20
_LOCAL = re.compile(r"[a-z0-9_-]+|[a-z0-9_.-]+\.(local|lan|internal|home\.arpa)", re.IGNORECASE)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_OUTCOMES: Final = {4: "refused", 5: "failed"}


class Guard:
    """ASGI. ``names``: by which it may be asked, beside addresses, names without a dot and those of a home network: a page on the
    web whose name was pointed at this address (DNS rebinding) must not read it."""

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self.counts: Counter[str] = Counter()  # answered, refused, failed
        self._names = {name.lower().rstrip(".") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        if scope["type"] != "http":
            return
        fault = self._fault(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.counts[_OUTCOMES.get(message["status"] // 100, "answered")] += 1
                own = list(message.get("headers", []))
                more = [one for one in _HEADERS if one[0] not in {name for name, _ in own}]
                message["headers"] = [one for one in own + more if one[1]]  # an empty one of its own keeps ours away
            await send(message)

        if fault:
            await PlainTextResponse(fault.text + "\n", fault.status, {"Connection": "close"})(
                scope, receive, send_safely
            )
            return
        await self._app(scope, _bounded(receive), send_safely)

    def _fault(self, scope: Scope) -> Refused | None:
        headers = scope["headers"]
        if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_MOST:
            return Refused(414, f"the address is longer than {TARGET_MOST} bytes")
        if sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_MOST:
            return Refused(431, f"the headers are longer than {HEAD_MOST} bytes")
        lengths = [value for name, value in headers if name == b"content-length"]
        if lengths and (not lengths[0].isdigit() or len(lengths[0]) > 9 or int(lengths[0]) > BODY_MOST):
            return Refused(413, f"the body is longer than {BODY_MOST} bytes")
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return Refused(421, "not asked by a name of this Fluksometer: add it to web.names")
        return None

    def _is_ours(self, host: str) -> bool:
        name = re.sub(r":[0-9]*$", "", host).rstrip(".")
        if name.lower() in self._names or _LOCAL.fullmatch(name):
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def receive_some() -> Any:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_MOST:
            raise Refused(413, f"the body is longer than {BODY_MOST} bytes", {"Connection": "close"})
        return message

    return receive_some
