from typing import Any

class RangeError(ValueError): ...

class Layout:
    kind: int
    name: str
    fields: tuple[tuple[str, str, int, int], ...]
    tail: str | None
    text: bool
    size: int
    def __init__(
        self,
        kind: int,
        name: str,
        fields: tuple[tuple[str, str, int, int], ...],
        tail: str | None = ...,
        text: bool = ...,
    ) -> None: ...
    def pack(self, *values: Any) -> bytes: ...
    def unpack(self, payload: bytes) -> tuple[Any, ...]: ...
