"""What the library `datasets` stores of a column of labels, a `ClassLabel`, in a parquet schema."""

import json
from typing import TYPE_CHECKING, Any

from fer_models.classes.names import class_name, name_problem
from fer_models.classes.schemes import LabelScheme

if TYPE_CHECKING:
    import pyarrow as pa

_MISSING = ("None",)


def own_names(schema: "pa.Schema", column: str) -> LabelScheme | None:
    """The names that the file itself gives to the numbers of a column; None if it gives none."""
    names = _names(schema, column)
    if names is None or any(name_problem(class_name(str(name))) for name in names):
        return None
    return LabelScheme("names in the file", dict(enumerate(map(str, names))))


def texts_without_label(schema: "pa.Schema", column: str) -> tuple[str, ...]:
    """The values, as texts, of images without a label besides -1: null, if it is a `ClassLabel`.

    Elsewhere null may be a mistake. `LabelReader` reads -1 as no label in every source. Source of
    that: `datasets.ClassLabel`, "use -1 for missing labels", as in the test split of a challenge.
    """
    import pyarrow.types as types

    is_number = bool(column) and types.is_integer(schema.field(column).type)
    return _MISSING if is_number and _names(schema, column) is not None else ()


def _names(schema: "pa.Schema", column: str) -> list[Any] | None:
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = stored["info"]["features"][column]["names"]
    except (ValueError, LookupError, TypeError):
        return None
    return names if isinstance(names, list) else None
