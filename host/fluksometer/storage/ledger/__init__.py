"""The ledger: position, totals, unsent readings and cursors in one SQLite file (docs/ledger.md)."""

from .conditions import Condition, LedgerFault, LedgerReport
from .store import Ledger, read_states

__all__ = ["Condition", "Ledger", "LedgerFault", "LedgerReport", "read_states"]
