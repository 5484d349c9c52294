"""Version and token of a request, and which sensor it may read (flukso.md 5.2)."""

import re
from typing import Final

from starlette.requests import Request

from fluksometer.domain.api_tokens import SENSOR_ID, TOKEN, allows, opens
from fluksometer.errors import StateFault

from .parts import Parts
from .table import Param, Refused, given, header

VERSION: Final = "1.0"
SID: Final = Param(
    "sid",
    {"type": "string", "pattern": f"^{SENSOR_ID}$", "description": "32 lower-case hex digits"},
    "sensor id",
    "path",
    True,
)
TOKEN_SCHEMA: Final = {"type": "string", "pattern": f"^{TOKEN}$", "description": "32 lower-case hex digits"}
VERSIONS: Final = (
    Param("version", {"type": "string", "enum": [VERSION]}, "of the API; here or as X-Version"),
    Param("X-Version", {"type": "string", "enum": [VERSION]}, "of the API; here or as version=", "header"),
)
TOKENS: Final = (
    Param("token", TOKEN_SCHEMA, "here or as X-Token"),
    Param("X-Token", TOKEN_SCHEMA, "here or as token=", "header"),
)


def need_version(request: Request) -> None:
    """Refused unless version 1.0 is named in exactly one place."""
    found = [one for one in (given(request, "version"), header(request, "X-Version")) if one is not None]
    if found != [VERSION]:
        raise Refused(400, f"version: {VERSION} is needed, either as X-Version header or as version= parameter")


def token_of(request: Request) -> str | None:
    """The token of a request, from one place; None: there is none."""
    bearer = header(request, "Authorization")
    places = [given(request, "token"), header(request, "X-Token")]
    if bearer is not None:
        scheme, _, rest = bearer.partition(" ")
        places += [rest.strip()] if scheme.lower() == "bearer" else []  # another one is for a proxy in front
    found = [one for one in places if one is not None]
    if not found:
        return None
    if len(found) > 1 or not re.fullmatch(TOKEN, found[0]):
        raise Refused(
            400, "token: 32 lower-case hex digits are needed, either as X-Token header or as token= parameter"
        )
    return found[0]


def need_token(parts: Parts, request: Request, sensor_id: str) -> None:
    """Refused unless a token opens this sensor."""
    token = token_of(request)
    if token is None:
        raise Refused(400, "token: one is needed, as X-Token header or as token= parameter: fluksometer token new")
    try:
        kept = parts.tokens()
    except StateFault as fault:
        raise Refused(503, "the tokens can't be read; the log says why") from fault
    if not allows(kept, token, sensor_id):
        known = bool(opens(kept, token))
        raise Refused(401, "Access refused" + (": the token is of another sensor" if known else ""), _REFUSED)


_REFUSED = {"WWW-Authenticate": 'Token realm="Access refused"'}


def accepted(request: Request, *media: str) -> str:
    """The first of these that the client takes best. Refused when it takes none."""
    wanted: dict[str, float] = {}
    for part in request.headers.get("accept", "*/*").split(","):
        name, _, parameters = part.partition(";")
        quality = re.search(r"\bq=([0-9.]{1,5})", parameters)
        try:
            wanted[name.strip().lower()] = float(quality[1]) if quality else 1.0
        except ValueError:
            continue
    best = {
        one: next((wanted[key] for key in (one, f"{one.split('/')[0]}/*", "*/*") if key in wanted), 0.0)
        for one in media
    }
    chosen = max(media, key=lambda one: best[one])
    if best[chosen] <= 0:
        raise Refused(406, f"there is {' and '.join(media)}")
    return chosen
