"""The pieces in which the board hands over a telegram (``P1_TELEGRAM`` of shared/terminal_records.py), put together again."""

from .terminal_readings import P1Piece


class P1Pieces:
    """Pieces come in order, unless records were lost. A telegram that lacks one, or got one of another, is dropped and counted."""

    def __init__(self) -> None:
        self.lost = 0
        self._open: list[P1Piece] = []
        self._dropped: tuple[int, ...] = ()  # of the telegram whose loss is counted already

    def take(self, piece: P1Piece) -> bytes | None:
        """All bytes of the telegram whose last piece this is; None before, and for one that is not whole."""
        if self._open and (_which(piece) != _which(self._open[0]) or piece.piece != len(self._open)):
            self._drop(self._open[0])
        if piece.piece != len(self._open) or piece.piece >= piece.pieces:
            self._drop(piece)
            return None
        self._open.append(piece)
        if len(self._open) < piece.pieces:
            return None
        whole = b"".join(one.data for one in self._open)
        self._open = []
        return whole

    def _drop(self, piece: P1Piece) -> None:
        self._open = []
        if _which(piece) != self._dropped:
            self._dropped = _which(piece)
            self.lost += 1


def _which(piece: P1Piece) -> tuple[int, ...]:
    return piece.number, piece.t_us, piece.pieces, piece.form, piece.left_out
