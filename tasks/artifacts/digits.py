"""Numbers as people read them: four decimals of an accuracy, one of a second."""

from collections.abc import Mapping
from typing import Any

_SHARES = ("accuracy", "f1", "auroc", "loss", "error", "recall", "precision", "probability")
_SECONDS = ("seconds", "_s")


def shown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A table row for people; see `shown`."""
    return {column: shown(column, value) for column, value in row.items()}


def shown(column: str, value: Any) -> Any:
    """A value of a column for people; only floats and None change.

    Four decimals for accuracies and other scores, one for seconds, whole numbers without any, and
    else four significant digits.

    Example:
        shown("validation_accuracy", 0.71234567)  # "0.7123"
        shown("train_seconds", 12.3456)  # "12.3"
        shown("learning_rate", 0.00123456)  # "0.001235"
    """
    if value is None:
        return ""
    if not isinstance(value, float):
        return value
    if any(word in column for word in _SHARES):
        return f"{value:.4f}"
    if column.endswith(_SECONDS):
        return f"{value:.1f}"
    return int(value) if value.is_integer() else f"{value:.4g}"
