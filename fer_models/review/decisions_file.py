"""The decisions file: a person's decisions about single images, as CSV that can be edited by hand.

UTF-8 with the header `image_id,pixel_sha256,action,label,note`; `pixel_sha256` and `note` are
optional. An action is `keep`, `drop`, `relabel` (with `label`, a class name) or `reset`, which
withdraws an earlier decision. Labels stay names until they are matched to a snapshot: one store may
hold data sets with different classes. (pandas' CSV reader reports no line numbers, and only the
first problem.)
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.classes.names import name_problem
from fer_models.errors import DataError

KEEP = "keep"
DROP = "drop"
RELABEL = "relabel"
RESET = "reset"
ACTIONS = (KEEP, DROP, RELABEL, RESET)

# `label` is a class name; it, `pixel_sha256` and `note` are "" if missing.
DECISION_DTYPES = {
    "image_id": "str",
    "pixel_sha256": "str",
    "action": "str",
    "label": "str",
    "note": "str",
}
COLUMNS = tuple(DECISION_DTYPES)
_REQUIRED = ("image_id", "action", "label")
_MAX_SHOWN = 50
_MAX_BYTES = 64 * 2**20
Row = dict[str, str]
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_decisions(path: Path, classes: ClassList | None = None) -> pd.DataFrame:
    """Read a decisions file; columns and types are `DECISION_DTYPES`.

    Args:
        path: of the file.
        classes: of the data set; labels must be names of them. None: names are not checked.

    Raises:
        DataError: the file can't be read, or has invalid lines (all are listed).

    Example:
        table = read_decisions(Path("decisions-226566315de4.csv"), snapshot.classes)
        table["action"].value_counts()
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(
                f"{path}: expected a decisions file of at most {_MAX_BYTES >> 20} MiB, got "
                f"{path.stat().st_size >> 20} MiB; check the path"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: can't read the decisions file ({error.strerror}); save one on the page that "
            "`ferflow review` writes"
        ) from error
    return decode_decisions(data, str(path), classes)


def decode_decisions(data: bytes, name: str, classes: ClassList | None = None) -> pd.DataFrame:
    """Parse the bytes of a decisions file; see `read_decisions`."""
    return parse_decisions(_decoded(data, name), name, classes)


def parse_decisions(text: str, name: str, classes: ClassList | None = None) -> pd.DataFrame:
    """Parse CSV text; error messages call it `name`. See `read_decisions`."""
    parser = _Parser(name, classes)
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise DataError(f"{name}: expected the header {','.join(COLUMNS)}, the text is empty")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        parser.header(next(row for row in reader if row))
        line = reader.line_num + 1
        for row in reader:
            if row:
                parser.row(line, row)
            line = reader.line_num + 1
    except csv.Error as error:
        parser.problems.append(f"line {reader.line_num}: not CSV ({error})")
    return parser.table()


def empty_decisions() -> pd.DataFrame:
    """A table without decisions."""
    return pd.DataFrame({name: [] for name in COLUMNS}).astype(DECISION_DTYPES)


def decisions_csv(decisions: pd.DataFrame) -> str:
    """The canonical file: sorted by image, with class names and line ends as in RFC 4180."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    ordered = decisions.sort_values(["image_id", "pixel_sha256"], kind="stable")
    for image_id, sha, action, label, note in ordered[list(COLUMNS)].to_numpy().tolist():
        writer.writerow([image_id, sha, action, label, note])
    return out.getvalue()


def _decoded(data: bytes, name: str) -> str:
    if b"\0" in data:
        raise DataError(f"{name}: expected a CSV text in UTF-8, got a binary file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: expected UTF-8, got the byte 0x{data[error.start]:02x}; save "
            "the file as CSV UTF-8"
        ) from error


@dataclass
class _Parser:
    """Collects rows and all problems in them."""

    name: str
    classes: ClassList | None
    columns: tuple[str, ...] = ()
    rows: list[tuple[int, Row]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def header(self, cells: Sequence[str]) -> None:
        names = [cell.strip().lower() for cell in cells]
        missing = [column for column in _REQUIRED if column not in names]
        unknown = [repr(column) for column in names if column not in COLUMNS]
        repeated = sorted({column for column in names if names.count(column) > 1})
        found = [
            f"{what}: {', '.join(columns)}"
            for what, columns in (
                ("missing columns", missing),
                ("unknown columns", unknown),
                ("repeated columns", repeated),
            )
            if columns
        ]
        if found:
            raise DataError(f"{self.name}, line 1: expected the header {','.join(COLUMNS)}", found)
        self.columns = tuple(names)

    def row(self, line: int, cells: Sequence[str]) -> None:
        if len(cells) != len(self.columns):
            self.problems.append(
                f"line {line}: expected {len(self.columns)} cells "
                f"({','.join(self.columns)}), got {len(cells)}"
            )
            return
        values = dict.fromkeys(COLUMNS, "") | dict(zip(self.columns, cells, strict=True))
        problems = _cell_problems(values, self.classes)
        if problems:
            image = f" ({values['image_id']})" if values["image_id"].strip() else ""
            self.problems.append(f"line {line}{image}: {'; '.join(problems)}")
            return
        label = _class_of(values["label"], self.classes)
        sha, action = (values[name].strip().lower() for name in ("pixel_sha256", "action"))
        row: Row = {**values, "pixel_sha256": sha, "action": action, "label": label}
        self.rows.append((line, row))

    def table(self) -> pd.DataFrame:
        kept = _without_repeats(self.rows, self.problems)
        if self.problems:
            shown = self.problems[:_MAX_SHOWN]
            if len(self.problems) > _MAX_SHOWN:
                shown.append(f"... and {len(self.problems) - _MAX_SHOWN} more")
            lines = (
                "1 invalid line"
                if len(self.problems) == 1
                else f"{len(self.problems)} invalid lines"
            )
            raise DataError(f"{self.name}: {lines}; correct the file and try again", shown)
        return pd.DataFrame(kept, columns=list(COLUMNS)).astype(DECISION_DTYPES)


def _cell_problems(values: dict[str, str], classes: ClassList | None) -> list[str]:
    action, label = values["action"].strip().lower(), values["label"].strip()
    problems = []
    if not values["image_id"].strip():
        problems.append("expected an image_id, got none")
    if values["pixel_sha256"].strip() and not _SHA256.fullmatch(
        values["pixel_sha256"].strip().lower()
    ):
        problems.append("expected 64 hex digits as pixel_sha256, or none")
    if action not in ACTIONS:
        problems.append(f"expected the action {', '.join(ACTIONS)}, got {values['action']!r}")
    elif action == RELABEL and not label:
        problems.append("relabel needs a label")
    elif action != RELABEL and label:
        problems.append(f"{action} takes no label, got {label!r}; to change the label, use relabel")
    if label:
        problems += _label_problem(label, classes)
    return problems


def _class_of(label: str, classes: ClassList | None) -> str:
    """The class that a label means; the label itself if the classes are not known.

    Raises:
        DataError: there is no such class.
    """
    label = label.strip()
    if not label or classes is None:
        return label
    # Files with FER2013's own numbers are accepted; other lists are numbered in many ways.
    if classes.is_fer2013 and label.isdecimal() and int(label) < len(classes):
        return classes.names[int(label)]
    return classes.names[classes.number(label)]


def _label_problem(label: str, classes: ClassList | None) -> list[str]:
    if classes is None:
        problem = name_problem(label)
        return [f"label: {label!r} {problem}; write the name of a class"] if problem else []
    try:
        _class_of(label, classes)
    except DataError as error:
        return [f"label: {error.message}"]
    return []


def _without_repeats(rows: Sequence[tuple[int, Row]], problems: list[str]) -> list[Row]:
    """Rows without repetitions; different decisions about one image are a problem."""
    seen: dict[str, list[tuple[int, Row]]] = {}
    kept = []
    for line, row in rows:
        others = seen.setdefault(row["image_id"], [])
        # One id may name different images in different datasets.
        same = [
            (n, o) for n, o in others if _may_be_same_image(row["pixel_sha256"], o["pixel_sha256"])
        ]
        if not same:
            kept.append(row)
            others.append((line, row))
        problems += [
            f"line {line} ({row['image_id']}): {_decision_text(row)} here, but "
            f"{_decision_text(other)} in line {n}"
            for n, other in same
            if _decision_text(row) != _decision_text(other)
        ]
    return kept


def _may_be_same_image(sha: str, other: str) -> bool:
    return sha == other or not sha or not other


def _decision_text(row: Row) -> str:
    return f"relabel to {row['label']}" if row["label"] else row["action"]
