"""Announces what is published to Home Assistant, keeps the announcement true, and takes back what is gone.

What was announced is remembered over restarts: a smart meter's sensors are there again only when it has told something, and must
not vanish meanwhile; and what was there before a change of the configuration can still be taken back.
"""

import contextlib
import json
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from fluksometer.domain.desk import Ask, Desk
from fluksometer.domain.home_assistant import (
    Entity,
    Form,
    House,
    Place,
    Section,
    device_topic,
    entity_topic,
    house_of,
    payloads,
)
from fluksometer.domain.points import Point
from fluksometer.domain.readings import Hello
from fluksometer.domain.topics import Message

_STATE: Final = "home assistant"
_BIRTH: Final = "homeassistant/status"  # Home Assistant's default, whatever the prefix of discovery
_BIRTH_S: Final = (1.0, 5.0)  # after its birth: it subscribes first, and other devices speak too
_MIGRATION_S: Final = 3.0  # for each step of changing the form
_AWAITED_S: Final = 3600.0  # a meter that is there tells all it has in this time
_GONE_MOST: Final = 200  # remembered as taken back
_FLAG: Final = '{"migrate_discovery":true}'


class HomeAssistantDesk(Desk):
    """MQTT discovery of the whole bridge. With ``enable`` false it only takes back what an earlier run announced."""

    def __init__(
        self,
        place: Place,
        *,
        version: str,
        enable: bool = True,
        prefix: str = "homeassistant",
        form: Form = "device",
        awaited: frozenset[str] = frozenset(),
        delay: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``awaited``: classes of sensors that show up only when they are heard. ``delay``: a number between two."""
        self.topics = tuple(dict.fromkeys((_BIRTH, f"{prefix}/status"))) if enable else ()
        self._place, self._version, self._enable, self._delay = place, version, enable, delay
        self._prefix, self._form, self._awaited_classes = prefix, form, awaited if enable else frozenset()
        self._sections: Mapping[str, Section] | None = None
        self._flows: dict[str, str] = {}  # unit of the gauge, by id of told totals
        self._totals: frozenset[str] = frozenset()  # ids of told totals
        self._house = House()  # as announced
        self._gone: dict[str, Entity] = {}
        self._last: tuple[str, Form] | None = None  # prefix and form of the announcement
        self._sent: dict[str, str] = {}  # by topic, in this run
        self._later: deque[tuple[float, list[Message]]] = deque()  # and when, monotonic
        self._known = ""  # for state(), as text: it is asked for each second, and is long
        self._seen: set[str] = set()  # entities that were there in this run
        self._whole_at_s: dict[str, float] = {}  # by class: from then on what was not heard is gone
        self._changed = self._born = False
        self._announce_at_s: float | None = None

    # --- as Desk ---

    def want(self, topic: str, payload: bytes) -> None:
        """As Desk: Home Assistant has started."""
        if topic in self.topics and payload == b"online":
            self._born = True

    def published(self, points: Sequence[Point]) -> None:
        """As Desk: learns which totals have a present value too."""
        for point in points:
            if point.kind == "gauge" and point.sensor_id in self._totals and point.sensor_id not in self._flows:
                self._flows[point.sensor_id] = point.unit
                self._changed = True

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """As Desk."""
        self._sections = sections
        told = [one for one in sections.values() if one.get("class") not in ("analog", "pulse", "voltage")]
        self._totals = frozenset(str(one["id"]) for one in told if one.get("data_type") == "counter")
        self._changed = True

    def next_deadline_s(self) -> float | None:
        """As Desk."""
        times = [self._announce_at_s, self._later[0][0] if self._later else None, *self._whole_at_s.values()]
        return min((one for one in times if one is not None), default=None)

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Message], list[Ask]]:
        """As Desk."""
        said: list[Message] = []
        if self._born and self._announce_at_s is None:  # who says it all the time does not put it off
            self._announce_at_s = now_s + self._delay(*_BIRTH_S)
        self._born = False
        if self._announce_at_s is not None and now_s >= self._announce_at_s:
            self._announce_at_s = None
            self._sent.clear()
            self._changed = True
        for source in [one for one, at_s in self._whole_at_s.items() if now_s >= at_s]:
            del self._whole_at_s[source]
            self._awaited_classes -= {source}
            self._changed = True
        while self._later and now_s >= self._later[0][0]:
            said += self._later.popleft()[1]
            if not self._later:  # until then a restart of the bridge begins the change of form anew
                self._remember((self._prefix, self._form))
        if self._changed and self._sections is not None and not self._later:
            self._changed = False
            said += self._announce(self._sections, now_s)
        return said, []

    def state(self) -> dict[str, Any]:
        """As Desk."""
        return {_STATE: self._known} if self._known else {}

    def restore(self, states: Mapping[str, Any]) -> None:
        """As Desk. What another version of the bridge has kept in another form is left alone: all is announced anew anyway."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            known = json.loads(states[_STATE])
            house = House(known["devices"], {one["key"]: Entity(**one) for one in known["entities"]})
            gone = {one["key"]: Entity(**one) for one in known["gone"]}
            prefix, form = known["last"]
            self._flows, self._house, self._gone, self._last = known["flows"], house, gone, (prefix, form)
            self._known = states[_STATE]

    # --- the announcement ---

    def _announce(self, sections: Mapping[str, Section], now_s: float) -> list[Message]:
        before, last = self._house, self._last
        house = house_of(self._place, sections, self._flows) if self._enable else House()
        self._seen |= house.entities.keys()
        self._await(before, house, now_s)
        for key, one in before.entities.items():
            if key not in house.entities:
                self._gone[key] = Entity(key, one.platform, one.device, one.source, {})
        self._gone = {key: one for key, one in self._gone.items() if key not in house.entities}
        self._gone = dict(list(self._gone.items())[-_GONE_MOST:])
        self._house, now = house, (self._prefix, self._form)
        topics = payloads(house, self._gone, self._prefix, self._form, self._version)
        fresh = [Message(topic, told) for topic, told in topics.items() if self._sent.get(topic) != told]
        self._sent.update(topics)
        if last is None or last == now:
            self._remember(now)
            return fresh
        old = [Message(topic, "") for topic in _topics(before, *last) if topic not in topics]
        if last[0] != self._prefix or not house.entities:
            self._remember(now)
            return old + fresh
        # Home Assistant keeps its entities (names, history) over a change of form when the old form is said to go first.
        self._remember(last)
        self._later.extend([(now_s + _MIGRATION_S, fresh), (now_s + 2 * _MIGRATION_S, old)])
        return [Message(one.topic, _FLAG) for one in old]

    def _remember(self, last: tuple[str, Form]) -> None:
        self._last = last
        known = {
            "devices": self._house.devices,
            "entities": [asdict(one) for one in self._house.entities.values()],
            "gone": [asdict(one) for one in self._gone.values()],
            "flows": dict(self._flows),
            "last": last,
        }
        self._known = json.dumps(known, separators=(",", ":"))

    def _await(self, before: House, house: House, now_s: float) -> None:
        # Puts back what was announced, is not there yet, and may well come.
        for source in {one.source for one in house.entities.values()} & self._awaited_classes:
            self._whole_at_s.setdefault(source, now_s + _AWAITED_S)
        for key, one in before.entities.items():
            if key not in self._seen and one.source in self._awaited_classes:
                house.entities[key] = one
                house.devices.setdefault(one.device, before.devices[one.device])


def _topics(house: House, prefix: str, form: Form) -> list[str]:
    if form == "device":
        return [device_topic(prefix, key) for key in house.devices]
    return [entity_topic(prefix, one) for one in house.entities.values()]
