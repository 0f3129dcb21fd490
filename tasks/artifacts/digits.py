"""Numbers as people read them, and as the report shows them: an accuracy in percent."""

from collections.abc import Mapping
from typing import Any

_SHARES = ("accuracy", "calibration_error", "recall", "precision", "probability")
_SCORES = ("f1", "auroc", "loss", "error")
_SECONDS = ("seconds", "_s")


def shown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A table row for people; see `shown`."""
    return {column: shown(column, value) for column, value in row.items()}


def shown(column: str, value: Any) -> Any:
    """A value of a column for people; only floats and None change.

    Accuracies and other shares in percent with one decimal, other scores with four decimals,
    seconds with one, whole numbers without any, and else four significant digits.

    Example:
        shown("validation_accuracy", 0.71234567)  # "71.2 %"
        shown("train_seconds", 12.3456)  # "12.3"
        shown("learning_rate", 0.00123456)  # "0.001235"
    """
    if value is None:
        return ""
    if not isinstance(value, float):
        return value
    if any(word in column for word in _SHARES):
        return percent(value)
    if any(word in column for word in _SCORES):
        return f"{value:.4f}"
    if column.endswith(_SECONDS):
        return f"{value:.1f}"
    return int(value) if value.is_integer() else f"{value:.4g}"


def percent(share: float) -> str:
    """A share (0..1) in percent.

    Example:
        percent(0.1587)  # "15.9 %"
    """
    return f"{100 * share:.1f} %"
