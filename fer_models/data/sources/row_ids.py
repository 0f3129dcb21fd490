"""Row ids that a table brings along: each may stand there once."""

from dataclasses import dataclass, field

_SHOWN_BYTES = 30


@dataclass
class RowIds:
    """The ids seen so far, and where."""

    _row_of: dict[bytes, int] = field(default_factory=dict)

    def problem(self, row_id: bytes, row: int) -> str:
        """What is wrong with the id of a row: none, or that of another row; "" for nothing."""
        if not row_id or row_id in (b"None", b"nan"):
            return "expected a row id, got none; complete it or remove the column"
        first = self._row_of.setdefault(row_id, row)
        if first == row:
            return ""
        shown = row_id[:_SHOWN_BYTES].decode("utf-8", errors="replace")
        return f"row id {shown!r} stands in row {first} already; remove one of the two rows"
