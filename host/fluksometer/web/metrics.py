"""``/metrics``: what a Prometheus server scrapes."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from fluksometer import __version__
from fluksometer.domain.prometheus import CONTENT_TYPE, exposition

from .parts import Parts
from .table import TEXT, Answer, Endpoint

_ABOUT: Final = "Present values, totals and health for Prometheus"


def metrics_endpoints(parts: Parts) -> list[Endpoint]:
    """The one there is."""

    async def metrics(request: Request) -> Response:
        text = exposition(parts.live.all(), parts.health(), parts.counts(), __version__)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    answer = Answer("text format 0.0.4", {TEXT: {"type": "string"}})
    return [Endpoint(path="/metrics", name="metrics", about=_ABOUT, handler=metrics, answers={200: answer})]
