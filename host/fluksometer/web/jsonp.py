"""JSON as the original sends it: without spaces, and as JSONP when a page asks for that."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from .table import JSON, Param, Refused, given

CALLBACK: Final = r"[A-Za-z0-9_]{1,64}"
CALLBACKS: Final = (
    Param(
        "callback",
        {"type": "string", "pattern": f"^{CALLBACK}$"},
        "JSONP: name of the function that is given the answer",
    ),
    Param("jsonp_callback", {"type": "string", "pattern": f"^{CALLBACK}$"}, "older name of callback"),
)


def callback_of(request: Request) -> str | None:
    """The function that a page wants called. Refused when it is no plain name: it would be run in that page."""
    found = [one for one in (given(request, "callback"), given(request, "jsonp_callback")) if one is not None]
    if len(found) > 1 or not all(re.fullmatch(CALLBACK, one) for one in found):
        raise Refused(400, "callback: one name of 1 to 64 letters, digits or _ is needed")
    return found[0] if found else None


def json_response(text: str, callback: str | None) -> Response:
    """``text`` is JSON. With a callback it is ``name(text);``, of the same media type as the original's: so there browsers must
    not be told to take the type at its word (they would not run it)."""
    if callback is None:
        return Response(text, media_type=JSON)
    return Response(f"{callback}({text});", media_type=JSON, headers={"X-Content-Type-Options": ""})
