"""What an endpoint is: one entry that its route, its checks and its description are made of, so that they can't drift."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
Schema = Mapping[str, Any]  # JSON Schema 2020-12
JSON: Final = "application/json"
TEXT: Final = "text/plain"
CSV: Final = "text/csv"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. Of its ``schema`` these are checked: type integer, minimum, maximum, enum, pattern, maxLength."""

    name: str
    schema: Schema
    about: str
    where: Literal["query", "path", "header"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back with one status code; ``media``: schema by media type."""

    about: str
    media: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path. ``open_to_pages``: any web page may read it (CORS), as the original's. ``errors``: media type of
    a refusal."""

    path: str
    name: str
    about: str
    handler: Handler
    answers: Mapping[int, Answer]
    params: tuple[Param, ...] = ()
    method: str = "GET"
    token: Literal["no", "needed", "may"] = "no"
    open_to_pages: bool = False
    errors: str = JSON
    body: Schema | None = None  # of the JSON that is sent
    checked: bool = (
        True  # its parameters, before the handler is called; else it does that itself, but for those of the path
    )


class Refused(Exception):
    """The request gets no answer but this status and a line that says what helps."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, dict(headers or {})


def given(request: Request, name: str) -> str | None:
    """A query parameter; Refused when it is there more than once."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Refused(400, f"{name}: given {len(values)} times, once is enough")
    return values[0] if values else None


def header(request: Request, name: str) -> str | None:
    """A header; Refused when it is there more than once."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise Refused(400, f"{name}: given {len(values)} times, once is enough")
    return values[0] if values else None


def check(params: Iterable[Param], request: Request) -> None:
    """Refused when a parameter is missing, there twice, or not what its schema says. What has no entry is ignored."""
    for param in params:
        if param.where == "path":
            value = request.path_params[param.name]
        else:
            value = given(request, param.name) if param.where == "query" else header(request, param.name)
        if value is None:
            if param.required:
                raise Refused(400, f"{param.name}: is missing: {param.about}")
        elif fault := _fault(param.schema, value):
            raise Refused(400, f"{param.name}: {fault}")


def _fault(schema: Schema, value: str) -> str:
    if schema.get("type") == "integer":
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            return "a whole number is needed"
        if "enum" in schema and int(value) not in schema["enum"]:
            return "one of " + ", ".join(map(str, schema["enum"]))
        low, high = schema.get("minimum", -(10**18)), schema.get("maximum", 10**18)
        return "" if low <= int(value) <= high else f"{low} to {high}"
    if "enum" in schema and value not in schema["enum"]:
        return "one of " + ", ".join(schema["enum"])
    if len(value) > schema.get("maxLength", 1000):
        return f"at most {schema.get('maxLength', 1000)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return str(schema.get("description", f"must match {schema['pattern']}"))
    return ""
