"""Check results with a readable observation, from Great Expectations' validation results."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from validation.checks import MAX_EXAMPLES, Check, CheckResult

_MAX_VALUES = 10
_MAX_CHARS = 200
_ROUNDING = 1e-6  # of a thousandth: a limit equal to the fraction passes


def result_of(check: Check, outcome: Any, table: pd.DataFrame, index: str) -> CheckResult:
    """Convert the validation result of one expectation.

    Args:
        check: the check that was evaluated.
        outcome: Great Expectations' result.
        table: the table it was evaluated on.
        index: the column that identifies the table's rows.
    """
    result = outcome.result or {}
    failing = _failing_rows(result, index)
    count = int(result.get("unexpected_count", not outcome.success))
    if not result:
        observed = _outcome_text(outcome)
    elif "observed_value" in result:
        observed = _table_text(check, result)
    elif index == "image_id":
        observed = _images_text(count, int(result.get("element_count", len(table))))
    else:
        observed = _rows_text(table, failing, check)
    configuration = outcome.expectation_config.to_json_dict()
    return CheckResult(
        check=check.name,
        topic=check.topic,
        severity=check.severity,
        passed=bool(outcome.success),
        expected=check.expected,
        observed=observed,
        examples=tuple(failing[:MAX_EXAMPLES]) if index == "image_id" else (),
        num_unexpected=count,
        remedy=check.remedy if outcome.success else _advice(check, result, table, index),
        table=check.table,
        expectation=configuration["type"],
        kwargs={k: v for k, v in configuration["kwargs"].items() if k != "batch_id"},
    )


def _advice(check: Check, result: Mapping[str, Any], table: pd.DataFrame, index: str) -> str:
    """The remedy, with the value of its setting that lets this data pass."""
    if not check.setting or not result:
        return check.remedy
    if check.topic == "drift":
        value = _rounded_up(_drift_row(table, check)["drift"])
    elif index == "image_id":
        value = _rounded_up(result["unexpected_count"] / result["element_count"])
    else:
        value = int(table[check.expectation.column].min())
    names = check.setting
    if check.also and value > check.also[1]:
        names += f" and {check.also[0]}"
    return check.remedy.replace(check.setting, f"{names} to {value:g}")


def _rounded_up(fraction: float) -> float:
    """A limit of three decimals, at most 1, that the fraction does not exceed."""
    return min(1.0, math.ceil(1000 * fraction - _ROUNDING) / 1000)


def _drift_row(table: pd.DataFrame, check: Check) -> "pd.Series[Any]":
    row: pd.Series[Any] = table.set_index("name").loc[check.expectation.row_condition.parameter]
    return row


def _failing_rows(result: Mapping[str, Any], index: str) -> list[str]:
    return [str(row[index]) for row in result.get("partial_unexpected_index_list") or []]


def _table_text(check: Check, result: Mapping[str, Any]) -> str:
    """A property of the whole table: a count, a mean, a set of columns."""
    details = result.get("details") or {}
    missing = (details.get("mismatched") or {}).get("missing")
    if missing:
        return f"missing: {', '.join(missing)}"
    if is_set_result(result):
        return set_text(result)
    value = result["observed_value"]
    if check.name == "manifest_columns":
        return "all present"
    if check.name == "images_present":
        return f"{value:,} images"
    return _short(value)


def _images_text(count: int, total: int) -> str:
    if not total:
        return "no images to check"
    if not count:
        return f"all {total:,} images pass"
    return f"{count:,} of {total:,} images fail (fraction {count / total:.3g})"


def _rows_text(table: pd.DataFrame, failing: list[str], check: Check) -> str:
    if check.topic == "drift":
        return _drift_text(table, check)
    rows = table[table["name"].isin(failing)] if failing else table
    if rows.empty:
        return "no rows to check"
    kwargs = check.expectation.configuration.kwargs
    columns = [kwargs[key] for key in ("column", "column_A") if key in kwargs]
    columns = columns or list(kwargs.get("column_list", ()))[:1]
    if not columns:
        return ", ".join(failing) or "all rows pass"
    values = [_short(value) for value in rows[columns[0]]]
    if check.table == "summary":
        return values[0]
    return ", ".join(f"{name} {value}" for name, value in zip(rows["name"], values, strict=True))


def _drift_text(table: pd.DataFrame, check: Check) -> str:
    """The distance of one statistic, its chance limit, and details."""
    row = _drift_row(table, check)
    if row.name == "classes_lost":
        return f"missing: {row['detail']}" if row["distance"] else "all present"
    if row.name == "reference_classes":
        return str(row["detail"])
    chance = f" (chance limit {row['chance']:.2g})" if row["chance"] else ""
    return f"{row['distance']:.3g}{chance}; {row['detail']}"


def _short(value: Any) -> str:
    """A short text of a value; long lists and texts are cut off."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        shown = [_short(item) for item in value[:_MAX_VALUES]]
        return ", ".join(shown) + (" ..." if len(value) > _MAX_VALUES else "")
    if isinstance(value, dict):
        return "; ".join(f"{key} {_short(part)}" for key, part in value.items())
    text = str(value)
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]} ..."


def is_set_result(result: Mapping[str, Any]) -> bool:
    """Whether an expectation is about the set of a column's values, not about rows or a number."""
    return "partial_unexpected_list" in result and "element_count" not in result


def set_text(result: Mapping[str, Any]) -> str:
    """The unexpected and missing values of such an expectation."""
    differences = {
        "unexpected": result.get("partial_unexpected_list"),
        "missing": result.get("partial_missing_list"),
    }
    parts = [f"{kind}: {_short(values)}" for kind, values in differences.items() if values]
    return "; ".join(parts) or "as expected"


def _outcome_text(outcome: Any) -> str:
    info = outcome.exception_info
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [str(entry["exception_message"]) for entry in entries if entry["raised_exception"]]
    if raised:
        return f"the check could not run: {raised[0].strip()}"
    return "passed" if outcome.success else "failed"
