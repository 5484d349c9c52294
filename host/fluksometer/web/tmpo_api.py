"""TMPO blocks for clients that keep a copy: the list of what they lack, and each block (flukso.md 6.6)."""

from collections.abc import Mapping
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from fluksometer.domain.tmpo import LEVELS, MOST_S, block_name
from fluksometer.domain.tmpo_sync import BadSync, client_list, newest_asked

from .access import SID, TOKENS, VERSIONS, accepted, need_token, need_version
from .jsonp import CALLBACKS, callback_of, json_response
from .parts import Parts
from .table import JSON, TEXT, Answer, Endpoint, Param, Refused, Schema, given

_GZIP: Final = "application/gzip"
_RID: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1}
_LVL: Final[Schema] = {"type": "integer", "enum": [0, *LEVELS]}
_BID: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MOST_S - 1}
_LIST: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in ("rid", "lvl", "bid")} | {"ext": {"const": "gz"}},
        "required": ["rid", "lvl", "bid", "ext"],
    },
}
_LINE: Final = {TEXT: {"type": "string"}}
_REFUSALS: Final = {
    400: Answer("what is wrong with the request", _LINE),
    401: Answer("the token opens another sensor or none; WWW-Authenticate has the reason", _LINE),
}


_BLOCK: Final[Mapping[str, Schema]] = {
    _GZIP: {"type": "string", "contentMediaType": _GZIP},
    JSON: {"type": "object", "required": ["h", "t", "v"]},
}


def _name(where: Literal["query", "path"]) -> tuple[Param, ...]:
    return (
        Param("rid", _RID, "recycle id: one more after each reset", where, True),
        Param("lvl", _LVL, "level", where, True),
        Param("bid", _BID, "block id: its first second", where, True),
    )


def tmpo_endpoints(parts: Parts) -> list[Endpoint]:
    """List and block."""

    async def sync(request: Request) -> Response:
        return await _sync(parts, request)

    async def block(request: Request) -> Response:
        return await _block(parts, request)

    return [
        Endpoint(
            path="/sensor/{sid}/tmpo/sync",
            name="tmpo_sync",
            about="Which TMPO blocks a client lacks whose newest is this one; 0, 0, 0: who has none",
            handler=sync,
            params=(SID, *_name("query"), *VERSIONS, *TOKENS, *CALLBACKS),
            answers={
                200: Answer("in the order in which they are to be stored", {JSON: _LIST}),
                404: Answer("no history is kept", _LINE),
                **_REFUSALS,
            },
            token="needed",
            open_to_pages=True,
            errors=TEXT,
            checked=False,
        ),
        Endpoint(
            path="/sensor/{sid}/tmpo/{rid}/{lvl}/{bid}",
            name="tmpo_block",
            about="A TMPO block as it is in its file",
            handler=block,
            params=(SID, *_name("path"), *VERSIONS, *TOKENS),
            answers={
                200: Answer("gzip; with Accept: application/json the same bytes as JSON encoded by gzip", _BLOCK),
                404: Answer("no such block", _LINE),
                406: Answer("neither is accepted", _LINE),
                **_REFUSALS,
            },
            token="needed",
            open_to_pages=True,
            errors=TEXT,
            checked=False,
        ),
    ]


async def _sync(parts: Parts, request: Request) -> Response:
    need_version(request)
    callback = callback_of(request)
    sensor_id = request.path_params["sid"]
    try:
        newest = newest_asked(*(given(request, name) or "" for name in ("rid", "lvl", "bid")))
    except BadSync as fault:
        raise Refused(400, str(fault)) from fault
    need_token(parts, request, sensor_id)
    blocks = await parts.away(lambda history: history.blocks(sensor_id))
    return json_response(client_list(blocks, newest), callback)


async def _block(parts: Parts, request: Request) -> Response:
    need_version(request)
    path = request.path_params
    name = block_name(path["rid"], path["lvl"], path["bid"])
    if name is None:
        raise Refused(400, "rid, lvl and bid name no block")
    need_token(parts, request, path["sid"])
    media = accepted(request, _GZIP, JSON)
    data = await parts.away(lambda history: history.block(path["sid"], *name))
    if data is None:
        raise Refused(404, "there is no such block")
    return Response(data, media_type=media, headers={"Content-Encoding": "gzip"} if media == JSON else {})
