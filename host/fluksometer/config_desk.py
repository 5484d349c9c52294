"""Publishes what the configuration says beside the sensors: ports always, and where there is no radio, that there are no kubes."""

from collections.abc import Mapping

from fluksometer.domain.desk import Ask, Desk
from fluksometer.domain.flx_topics import flx_config
from fluksometer.domain.readings import Hello
from fluksometer.domain.topics import Message


class ConfigDesk(Desk):
    """Each message is kept by the broker and sent when it changes."""

    def __init__(self, device_id: str, no_kubes: Message | None = None) -> None:
        """``no_kubes``: published once; None where a radio tells of them."""
        self._device_id = device_id
        self._said = [no_kubes] if no_kubes else []
        self._last: Message | None = None

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """As Desk."""
        told = flx_config(self._device_id, sections)
        if told != self._last:
            self._last = told
            self._said.append(told)

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Message], list[Ask]]:
        """As Desk."""
        said, self._said = self._said, []
        return said, []
