"""The kubes that belong to a house, as they are kept: node, name, and the ids of their sensors, made once."""

from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from fluksometer.faults import Table
from fluksometer.shared.kube import KUBES, NODES

FORMAT: Final = "fluksometer kubes 1"
MAX_NAME: Final = 32


class KubeRefused(ValueError):
    """A kube can't be paired, renamed or removed; the text says why."""


def _id(text: str) -> str:
    if len(text) != 32 or text.strip("0123456789abcdef"):
        raise ValueError("32 lower-case hex digits")
    return text


def _node(key: str) -> str:
    if key not in _NODE_KEYS:
        raise ValueError(f"a node, 1 to {NODES}")
    return key


def _hw_type(value: int) -> int:
    if value not in KUBES:
        raise ValueError(f"a kube type: {' or '.join(str(known) for known in KUBES)}")
    return value


def _name(name: str) -> str:
    if len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise ValueError(f"up to {MAX_NAME} printable characters, without spaces around")
    return name


_NODE_KEYS: Final = tuple(str(node) for node in range(1, NODES + 1))
Id = Annotated[str, AfterValidator(_id)]
MakeId = Callable[[], str]


class Kube(Table):
    """One kube. hw_id: its chip's own number; sensors: id by what it measures."""

    hw_id: Id
    hw_type: Annotated[int, AfterValidator(_hw_type)]
    name: Annotated[str, AfterValidator(_name)] = ""
    version: int = Field(default=0, ge=0, le=0xFFFF)  # of its firmware, as it told last; 0: not yet
    sensors: dict[str, Id]

    @field_validator("sensors")
    @classmethod
    def _known(cls, sensors: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        wanted = KUBES.get(info.data.get("hw_type", 0), ())
        if wanted and set(sensors) != set(wanted):
            raise ValueError(f"one id for each of {', '.join(wanted)}")
        return sensors


class KubeBook(Table):
    """The file: kubes by node, which is what their packets say of them."""

    format: Literal["fluksometer kubes 1"] = FORMAT
    kubes: dict[Annotated[str, AfterValidator(_node)], Kube] = Field(default_factory=dict)

    @field_validator("kubes")
    @classmethod
    def _apart(cls, kubes: dict[str, Kube]) -> dict[str, Kube]:
        hw_ids = [kube.hw_id for kube in kubes.values()]
        sensor_ids = [one for kube in kubes.values() for one in kube.sensors.values()]
        for what, ids in (("hw_id", hw_ids), ("sensor id", sensor_ids)):
            if len(set(ids)) < len(ids):
                raise ValueError(f"a {what} stands in it twice")
        return kubes

    def at(self, node: int) -> Kube | None:
        """The kube that sends as this node."""
        return self.kubes.get(str(node))

    def node_of(self, hw_id: str) -> int | None:
        """The node that a chip was given."""
        return next((int(node) for node, kube in self.kubes.items() if kube.hw_id == hw_id), None)


def pair(book: KubeBook, hw_type: int, hw_id: str, make_id: MakeId) -> tuple[KubeBook, int]:
    """The book with this kube, and its node: the old one with name and ids if it is known, else the first free one.

    Raises KubeRefused for a type or an hw_id that no kube has, and when every node is taken.
    """
    if hw_type not in KUBES:
        raise KubeRefused(f"kube {hw_id}: unknown type {hw_type} (0x{hw_type:04x})")
    _checked(_id, hw_id, f"hw_id {hw_id!r}")
    node = book.node_of(hw_id) or _free_node(book, hw_id)
    old = book.at(node)
    if old and old.hw_type == hw_type:
        return book, node
    ids = old.sensors if old else {}
    sensors = {sensor: ids.get(sensor) or make_id() for sensor in KUBES[hw_type]}
    kube = Kube(hw_id=hw_id, hw_type=hw_type, name=old.name if old else "", sensors=sensors)
    return _with(book, node, kube), node


def rename(book: KubeBook, node: int, name: str) -> KubeBook:
    """The book with another name for a kube; KubeRefused when there is none, or the name is not allowed."""
    kube = kube_at(book, node)
    return _with(book, node, kube.model_copy(update={"name": _checked(_name, name, f"name {name!r}")}))


def remove(book: KubeBook, node: int) -> KubeBook:
    """The book without a kube: paired again it is a new one, with new ids. KubeRefused when there is none."""
    kube_at(book, node)
    return book.model_copy(update={"kubes": {key: kube for key, kube in book.kubes.items() if key != str(node)}})


def told_version(book: KubeBook, node: int, hw_type: int, version: int) -> KubeBook:
    """The book after an upgrade request: what firmware the kube has. KubeRefused when the node is not of this type."""
    kube = kube_at(book, node)
    if kube.hw_type != hw_type:
        raise KubeRefused(f"node {node}: it says type {hw_type}, but was paired as {kube.hw_type}")
    return _with(book, node, kube.model_copy(update={"version": version}))


def kube_at(book: KubeBook, node: int) -> Kube:
    """The kube that sends as this node; KubeRefused when there is none."""
    kube = book.at(node)
    if kube is None:
        raise KubeRefused(f"no kube is paired as node {node}")
    return kube


def _free_node(book: KubeBook, hw_id: str) -> int:
    for node in range(1, NODES + 1):
        if book.at(node) is None:
            return node
    raise KubeRefused(f"kube {hw_id}: all {NODES} nodes are taken; remove one first")


def _with(book: KubeBook, node: int, kube: Kube) -> KubeBook:
    kubes = book.kubes | {str(node): kube}
    return book.model_copy(update={"kubes": {key: kubes[key] for key in _NODE_KEYS if key in kubes}})


def _checked(check: Callable[[str], str], text: str, what: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise KubeRefused(f"{what}: {error}") from None
