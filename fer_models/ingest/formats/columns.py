"""Which column of a table means what, by name or as `data.table` says."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fer_models.ingest.config import NONE, TableConfig
from fer_models.ingest.formats.csv_rows import shown_name

NUMBER_COLUMNS = (
    *("emotion", "label", "labels", "expression", "class", "category", "target"),
    *("emotion_label", "emotion_id", "label_id", "class_id", "expression_id"),
)
"""Columns of labels, numbers or names."""
NAME_COLUMNS = (
    *("emotion_name", "label_name", "class_name", "expression_name", "category_name"),
    *("emotion_text", "label_text", "emotion_str"),
)
"""Columns of labels by name, often beside their numbers."""
SPLIT_COLUMNS = ("usage", "split", "subset", "partition", "phase", "set")
PIXELS, LABEL, SPLIT, ID, NAME = "pixels", "emotion", "usage", "id", "name beside the label"

_ID_COLUMNS = ("id", "image_id", "row", "index", "unnamed: 0")
_PROVEN_LABEL = "emotion"
_MAX_SHOWN = 12
_EXPECTED = "emotion,pixels,Usage or emotion,pixels or pixels"


class ColumnError(ValueError):
    """The columns can't be used; the message is meant for the user."""


@dataclass(frozen=True)
class PixelColumns:
    """Columns of a table of pixel lists."""

    roles: list[str]
    """Of each column: PIXELS, LABEL, SPLIT, ID, NAME, or another text for an ignored one."""
    label: str
    """The name of the column of labels; "" if there is none."""
    name: str
    """The name of the column NAME; "" if there is none."""
    ignored: list[str] = field(default_factory=list)

    @property
    def proven(self) -> str:
        """FER2013's numbering if the table has its columns, else ""."""
        return "fer2013" if self.label == _PROVEN_LABEL else ""


def pixel_columns(names: Sequence[str], config: TableConfig) -> PixelColumns:
    """The meaning of the columns of a table of pixel lists.

    Args:
        names: in lower case.
        config: what the user says of them.

    Raises:
        ColumnError: no pixels, or labels that can't be told from other columns.
    """
    if any("\r" in name for name in names):
        remedy = "its line ends are CR only: save it with LF or CRLF line ends"
        raise ColumnError(_unexpected(names, remedy))
    for name in names:
        if name and names.count(name) > 1:
            raise ColumnError(_unexpected(names, "rename one of two columns of the same name"))
    if PIXELS not in names:
        raise ColumnError(_unexpected(names, _remedy(names)))
    split = chosen_column(names, config.split, SPLIT_COLUMNS, "split")
    row_id = next((name for name in (*_ID_COLUMNS, *names[:1]) if name in names), "")
    row_id = row_id if row_id in _ID_COLUMNS or row_id == "" else ""
    has_id = row_id in names
    label = _label_of_pixels(names, config.label, {PIXELS, split, row_id if has_id else PIXELS})
    beside = next((name for name in NAME_COLUMNS if name in names and name != label), "")
    beside = beside if label in NUMBER_COLUMNS else ""
    meaning = {split: SPLIT, label: LABEL, beside: NAME}
    meaning = {name: role for name, role in meaning.items() if name} | {PIXELS: PIXELS}
    if has_id:
        meaning.setdefault(row_id, ID)
    roles = [meaning.get(name, f"ignored {name}") for name in names]
    ignored = [name for name in names if name not in meaning]
    return PixelColumns(roles, label, beside, ignored)


def chosen_column(names: Sequence[str], wanted: str, known: Sequence[str], setting: str) -> str:
    """The column that `data.table.<setting>` names, else the first known one; "" for none.

    Raises:
        ColumnError: there is no such column.
    """
    if wanted.lower() == NONE:
        return ""
    if not wanted:
        return next((name for name in known if name in names), "")
    if wanted.strip().lower() not in names:
        raise ColumnError(
            f"data.table.{setting}={wanted}: there is no such column; name one of {_shown(names)}"
        )
    return wanted.strip().lower()


def check_slice_columns(names: Collection[str], wanted: Sequence[str]) -> None:
    """Check that the tables of the only source have the columns of `data.slice_columns`.

    Raises:
        ColumnError: they lack some of them.
    """
    absent = [name for name in wanted if name not in names]
    if absent:
        raise ColumnError(
            f"data.slice_columns={','.join(absent)}: there is no such column; "
            f"name some of {_shown(list(names))}"
        )


def chosen_label(names: Sequence[str], wanted: str, proven: str = "") -> str:
    """The column of labels: the user's, else `proven`, else names before numbers; "" for none.

    Raises:
        ColumnError: there is no such column, or several may be meant.
    """
    if wanted or proven in names:
        return chosen_column(names, wanted, (proven,), "label")
    for known in (NAME_COLUMNS, NUMBER_COLUMNS):
        found = [name for name in known if name in names]
        if len(found) > 1:
            raise ColumnError(
                f"{' and '.join(found)} may both be the labels; name one with "
                f"data.table.label={found[0]}"
            )
        if found:
            return found[0]
    return ""


def _label_of_pixels(names: Sequence[str], wanted: str, others: set[str]) -> str:
    label = chosen_label(names, wanted, _PROVEN_LABEL)
    if label or wanted:
        return label
    if set(names) <= others - {"usage"}:
        return ""
    rest = [name for name in names if name not in others]
    near = [name for name in rest if difflib.get_close_matches(name, NUMBER_COLUMNS, 1)]
    example = (near or rest or [NONE])[0]
    raise ColumnError(
        _unexpected(
            names,
            f"name the column of the labels with data.table.label={example}, or say that there "
            f"are none with data.table.label={NONE}",
        )
    )


def _unexpected(names: Sequence[str], remedy: str) -> str:
    return f"expected the columns {_EXPECTED}, got {_shown(names)}; {remedy}"


def _shown(names: Sequence[str]) -> str:
    return ",".join(shown_name(name) for name in names[:_MAX_SHOWN])


def _remedy(names: Sequence[str]) -> str:
    if any(name.replace(" ", "").isdigit() for name in names):
        return "the header line is missing: insert it as the first line"
    return (
        "name the column of grey values pixels; a list of image files is read with its folder: "
        "name the folder, and the list with data.table.path"
    )
