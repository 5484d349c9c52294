from typing import Any

from .p1_lines import Register

MAX_HEAD: int
MAX_LINE: int
MAX_REGISTERS: int
MAX_TEXT: int
MAX_FRAME: int
OK: str
NONE: str

class Telegram:
    head: str
    crc: str
    registers: list[Register]
    left_out: int
    def __init__(self, head: str, crc: str, registers: list[Register], left_out: int) -> None: ...

class Frame:
    data: bytes
    def __init__(self, data: bytes) -> None: ...

class Parser:
    bad_crc: int
    bad_form: int
    cut: int
    def __init__(
        self, max_registers: int = ..., max_text: int = ..., max_frame: int = ..., body: Any = ...
    ) -> None: ...
    @property
    def bad(self) -> int: ...
    def push(self, chunk: bytes) -> list[Telegram | Frame]: ...
    def pause(self) -> list[Telegram | Frame]: ...

def is_text(text: bytes) -> bool: ...
