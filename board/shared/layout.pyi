from typing import Any

class RangeError(ValueError): ...

class Layout:
    kind: int
    name: str
    format: str
    tail: str | None
    text: bool
    size: int
    def __init__(
        self,
        kind: int,
        name: str,
        fields: str,
        tail: str | None = ...,
        text: bool = ...,
    ) -> None: ...
    @property
    def fields(self) -> tuple[tuple[str, str, int, int], ...]: ...
    def pack(self, *values: Any) -> bytes: ...
    def unpack(self, payload: bytes) -> tuple[Any, ...]: ...
