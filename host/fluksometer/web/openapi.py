"""The description of all endpoints, OpenAPI 3.1, made of the same table as the routes."""

from collections.abc import Iterable
from typing import Any, Final

from fluksometer import __version__

from .table import JSON, TEXT, Answer, Endpoint

_ERROR: Final = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_SECURITY: Final = {
    "header": {"type": "apiKey", "in": "header", "name": "X-Token"},
    "query": {"type": "apiKey", "in": "query", "name": "token"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def refusal(endpoint: Endpoint, about: str) -> Answer:
    """The shape of a refusal of this endpoint."""
    return Answer(about, {JSON: _ERROR} if endpoint.errors == JSON else {TEXT: {"type": "string"}})


def describe(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fluksometer",
            "version": __version__,
            "description": "What a Fluksometer bridge serves by HTTP. docs/rest.md tells more.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"securitySchemes": _SECURITY},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "parameters": [
            {
                "name": param.name,
                "in": param.where,
                "required": param.required,
                "description": param.about,
                "schema": dict(param.schema),
            }
            for param in endpoint.params
        ],
        "responses": {str(status): _answer(answer) for status, answer in sorted(_all_answers(endpoint).items())},
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": dict(endpoint.body)}}}
    if endpoint.token == "needed":
        operation["security"] = [{name: []} for name in _SECURITY]
    elif endpoint.token == "may":
        operation["security"] = [{}, *({name: []} for name in _SECURITY)]
    return operation


def _all_answers(endpoint: Endpoint) -> dict[int, Answer]:
    more = {status: Answer(about, {TEXT: {"type": "string"}}) for status, about in _OF_ALL.items()}
    return more | dict(endpoint.answers)


_OF_ALL: Final = {
    413: "the body is too long",
    414: "the address is too long",
    421: "asked by a name that is not ours: web.names",
    431: "the headers are too long",
    503: "too many requests at once",
}


def _answer(answer: Answer) -> dict[str, Any]:
    content = {media: {"schema": dict(schema)} for media, schema in answer.media.items()}
    return {"description": answer.about} | ({"content": content} if content else {})
