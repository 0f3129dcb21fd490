"""Problems of a source, collected while it is read so that they can be reported together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fer_models.errors import DataError

MAX_SHOWN = 20
_MAX_PLACES = 3
_QUARANTINE_HINT = (
    "or quarantine the bad rows with --set data.quarantine_bad_rows=true "
    "(structural faults are rejected all the same)"
)


@dataclass(frozen=True)
class BadRow:
    """One row or file that can't be used as it is.

    `problem` contains no local path: it may become part of a snapshot.
    """

    row: int
    """Row number in the source, from 0."""
    path: str
    """Path below the source's folder; "" for tables."""
    location: str
    """How messages name it, e.g. `row 17 (line 19)`."""
    problem: str
    has_image: bool
    """Whether the image itself can be used (its label, split or votes can't)."""
    is_shared: bool = False
    """Whether rows with the same problem share one line."""


@dataclass
class Findings:
    """All findings of one source, named as the user named it."""

    source: str
    faults: list[str] = field(default_factory=list)
    """Faults of the source as a whole: never quarantined."""
    bad_rows: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the user should know though nothing is wrong: part of the snapshot's metadata."""

    def add_fault(self, fault: str) -> None:
        """Record a fault of the source as a whole."""
        self.faults.append(fault)

    def add_note(self, note: str) -> None:
        """Record something to state, such as columns that are ignored."""
        self.notes.append(note)

    def add_bad_row(
        self,
        row: int,
        location: str,
        problems: Sequence[str],
        path: str = "",
        has_image: bool = False,
        is_shared: bool = False,
    ) -> None:
        """Record a row that can't be used as it is, with all its problems."""
        text = "; ".join(problems)
        self.bad_rows.append(BadRow(row, path, location, text, has_image, is_shared))

    def lines(self, with_rows: bool) -> list[str]:
        """One line a finding, at most `MAX_SHOWN` of a kind, then the number of further ones."""
        found = _capped([f"{self.source}: {fault}" for fault in self.faults], self.source)
        if with_rows:
            rows = sorted(self.bad_rows, key=lambda bad: bad.row)
            lines = [
                f"{self.source}, {bad.location}: {bad.problem}" for bad in rows if not bad.is_shared
            ]
            found += _capped(lines, self.source) + self._shared_lines(rows)
        return [_printable(line) for line in found]

    def _shared_lines(self, rows: Sequence[BadRow]) -> list[str]:
        """One line for all rows that share a problem."""
        shared: dict[str, list[str]] = {}
        for bad in rows:
            if bad.is_shared:
                shared.setdefault(bad.problem, []).append(bad.location)
        return [
            f"{self.source}, {', '.join(places[:_MAX_PLACES])}"
            f"{f' and {len(places) - _MAX_PLACES:,} more' if len(places) > _MAX_PLACES else ''}: "
            f"{problem}"
            for problem, places in sorted(shared.items())
        ]


def raise_if_bad(findings: Iterable[Findings], quarantine_bad_rows: bool) -> None:
    """Reject the sources if they have faults, or bad rows that may not be quarantined.

    Raises:
        DataError: listing every finding of every source (rows of a source capped at `MAX_SHOWN`).
    """
    found = list(findings)
    has_faults = any(one.faults for one in found)
    num_rows = sum(len(one.bad_rows) for one in found)
    with_rows = num_rows > 0 and not quarantine_bad_rows
    if not has_faults and not with_rows:
        return
    num_problems = sum(len(one.faults) for one in found) + (num_rows if with_rows else 0)
    counted = "1 problem" if num_problems == 1 else f"{num_problems} problems"
    hint = f", {_QUARANTINE_HINT}" if with_rows else ""
    raise DataError(
        f"the data can't be read: {counted}; correct what is listed{hint}",
        [line for one in found for line in one.lines(with_rows)],
    )


def _printable(line: str) -> str:
    """Escape control characters, which file names may contain and a terminal would obey."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _capped(lines: list[str], source: str) -> list[str]:
    more = len(lines) - MAX_SHOWN
    if more <= 0:
        return lines
    return [*lines[:MAX_SHOWN], f"{source}: and {more} more like these"]
