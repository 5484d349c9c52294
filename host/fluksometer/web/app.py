"""Wires the endpoints: one table, of which the routes and the description are made."""

import json
from collections.abc import Collection

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .api_v1 import api_endpoints
from .guard import Guard
from .metrics import metrics_endpoints
from .openapi import describe
from .parts import Parts
from .sensor_api import sensor_endpoints
from .table import JSON, Answer, Endpoint, Refused, check
from .tmpo_api import tmpo_endpoints

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "X-Version, X-Token, Authorization, Accept",
    "Access-Control-Max-Age": "3600",
}


def endpoints(parts: Parts) -> list[Endpoint]:
    """All of them; the last one describes them."""
    found = [*sensor_endpoints(parts), *tmpo_endpoints(parts), *api_endpoints(parts), *metrics_endpoints(parts)]
    answers = {200: Answer("this description", {JSON: {"type": "object"}})}

    async def description(request: Request) -> Response:
        return Response(text, media_type=JSON)

    found.append(
        Endpoint(path="/openapi.json", name="openapi", about="This description", handler=description, answers=answers)
    )
    text = json.dumps(describe(found), separators=(",", ":"))
    return found


def make_app(parts: Parts, *, names: Collection[str] = (), origins: Collection[str] = ()) -> Guard:
    """``names``: by which it may be asked; ``origins``: of the pages that may read what is not open to all pages."""
    routes = [_route(endpoint, frozenset(origins)) for endpoint in endpoints(parts)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    return Guard(app, names)


def _route(endpoint: Endpoint, origins: frozenset[str]) -> Route:
    async def answer(request: Request) -> Response:
        response = await _answer(endpoint, request)
        origin = request.headers.get("origin")
        if endpoint.open_to_pages or "*" in origins:
            response.headers["Access-Control-Allow-Origin"] = "*"
        elif origins:
            response.headers["Vary"] = "Origin"
            if origin in origins:
                response.headers["Access-Control-Allow-Origin"] = str(origin)
        return response

    return Route(endpoint.path, answer, methods=[endpoint.method, "OPTIONS"], name=endpoint.name)


async def _answer(endpoint: Endpoint, request: Request) -> Response:
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=_ALLOWED | {"Allow": "GET, HEAD, OPTIONS"})
    try:
        check([param for param in endpoint.params if endpoint.checked or param.where == "path"], request)
        return await endpoint.handler(request)
    except Refused as refused:
        if endpoint.errors == JSON:
            return JSONResponse({"error": refused.text}, refused.status, refused.headers)
        return PlainTextResponse(refused.text, refused.status, refused.headers)


def _no_route(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    text = {404: "there is nothing here: see /openapi.json", 405: "this method is not for this address"}
    return PlainTextResponse(text.get(fault.status_code, fault.detail), fault.status_code, fault.headers)
