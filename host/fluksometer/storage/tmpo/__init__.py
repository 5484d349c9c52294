"""The history: TMPO blocks in files (docs/tmpo.md)."""

from .codec import BadBlock, Block, decode, encode, text_of, unzip
from .faults import HistoryFault
from .reading import StoredHistory
from .store import Growth, Series, Store, Written

__all__ = [
    "BadBlock",
    "Block",
    "Growth",
    "HistoryFault",
    "Series",
    "Store",
    "StoredHistory",
    "Written",
    "decode",
    "encode",
    "text_of",
    "unzip",
]
