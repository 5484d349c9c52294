"""New firmware for kubes: which image one is offered, the blocks it fetches, and when an answer may go out."""

from dataclasses import dataclass
from typing import Final

from fluksometer.shared.kube import decode_download_request, encode_block, encode_upgrade, image_block, image_crc

WAIT_S: Final = 2.5
"""How long a kube that was acknowledged listens for its answer."""


@dataclass(frozen=True, slots=True)
class KubeImage:
    """Firmware of one version, filled up to whole blocks."""

    hw_type: int
    version: int
    data: bytes

    def offer(self) -> bytes:
        """Payload of the answer to an upgrade request."""
        return encode_upgrade(self.hw_type, self.version, len(self.data), image_crc(self.data))

    def block(self, request: bytes) -> bytes:
        """Payload of the answer to a download request. Raises KubeError for a block behind the end."""
        _version, block = decode_download_request(request)
        return encode_block(self.version, block, image_block(self.data, block))


class Answers:
    """Answers to kubes. A kube takes any answer that comes for its own, so while two listen neither is answered: the one that
    asked first gives up, and the other gets its answer then if it still listens."""

    def __init__(self) -> None:
        self._listening: dict[int, tuple[float, bytes | None]] = {}  # by node: until when, and what it is to get

    def add(self, node: int, payload: bytes | None, now_s: float) -> None:
        """A kube has asked; None: it gets no answer, and listens all the same."""
        self._listening[node] = (now_s + WAIT_S, payload)

    def next_deadline_s(self) -> float | None:
        """When the first of those that listen gives up."""
        return min((until_s for until_s, _payload in self._listening.values()), default=None)

    def due(self, now_s: float) -> tuple[int, bytes] | None:
        """Node and payload of the answer that may go out now."""
        self._listening = {node: one for node, one in self._listening.items() if now_s < one[0]}
        if len(self._listening) != 1:
            return None
        ((node, (_until_s, payload)),) = self._listening.items()
        if payload is None:
            return None
        self._listening.clear()
        return node, payload
