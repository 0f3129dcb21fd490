"""What was observed, in words: Great Expectations' record of one expectation as a result."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from validation.checks import MAX_EXAMPLES, Check, CheckResult

_MAX_VALUES = 10
_MAX_LETTERS = 200


def result_of(check: Check, outcome: Any, table: pd.DataFrame, index: str) -> CheckResult:
    """The result of a check.

    Args:
        check: what was looked for.
        outcome: Great Expectations' record of it.
        table: what it looked at.
        index: the column that names the table's rows.
    """
    result = outcome.result or {}
    failing = _failing_rows(result, index)
    count = int(result.get("unexpected_count", not outcome.success))
    if not result:
        observed = _without_a_result(outcome)
    elif "observed_value" in result:
        observed = _of_table(check, result)
    elif index == "image_id":
        observed = _of_images(count, int(result.get("element_count", len(table))))
    else:
        observed = _of_rows(table, failing, check)
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
        remedy=check.remedy,
        table=check.table,
        expectation=configuration["type"],
        kwargs={k: v for k, v in configuration["kwargs"].items() if k != "batch_id"},
    )


def _failing_rows(result: Mapping[str, Any], index: str) -> list[str]:
    return [str(row[index]) for row in result.get("partial_unexpected_index_list") or []]


def _of_table(check: Check, result: Mapping[str, Any]) -> str:
    """A value of the whole table: a count, a mean, a set of columns."""
    details = result.get("details") or {}
    missing = (details.get("mismatched") or {}).get("missing")
    if missing:
        return f"missing: {', '.join(missing)}"
    if is_about_a_set(result):
        return observed_set(result)
    value = result["observed_value"]
    if check.name == "manifest_columns":
        return "all of them"
    if check.name == "images_present":
        return f"{value:,} images"
    return _short(value)


def _of_images(count: int, total: int) -> str:
    if not total:
        return "no image to look at"
    if not count:
        return f"holds for all {total:,} images"
    return f"{count:,} of {total:,} images are otherwise (share {count / total:.3g})"


def _of_rows(table: pd.DataFrame, failing: list[str], check: Check) -> str:
    if check.topic == "drift":
        return _of_drift(table, check)
    rows = table[table["name"].isin(failing)] if failing else table
    if rows.empty:
        return "none is there"
    kwargs = check.expectation.configuration.kwargs
    columns = [kwargs[key] for key in ("column", "column_A") if key in kwargs]
    columns = columns or list(kwargs.get("column_list", ()))[:1]
    if not columns:
        return ", ".join(failing) or "holds for all of them"
    values = [_short(value) for value in rows[columns[0]]]
    if check.table == "summary":
        return values[0]
    return ", ".join(f"{name} {value}" for name, value in zip(rows["name"], values, strict=True))


def _of_drift(table: pd.DataFrame, check: Check) -> str:
    """The distance of one statistic, what chance explains of it, and where it comes from."""
    statistic = check.expectation.row_condition.parameter
    row = table.set_index("name").loc[statistic]
    if statistic == "classes_lost":
        return f"gone: {row['detail']}" if row["distance"] else "all of them"
    chance = f" (chance alone gives up to {row['chance']:.2g})" if row["chance"] else ""
    return f"{row['distance']:.3g}{chance}; {row['detail']}"


def _short(value: Any) -> str:
    """A value in few letters; of a long list, its start."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        shown = [_short(one) for one in value[:_MAX_VALUES]]
        return ", ".join(shown) + (" ..." if len(value) > _MAX_VALUES else "")
    if isinstance(value, dict):
        return "; ".join(f"{key} {_short(part)}" for key, part in value.items())
    text = str(value)
    return text if len(text) <= _MAX_LETTERS else f"{text[:_MAX_LETTERS]} ..."


def is_about_a_set(result: Mapping[str, Any]) -> bool:
    """Whether an expectation looked at the set of a column's values, not at rows or a number."""
    return "partial_unexpected_list" in result and "element_count" not in result


def observed_set(result: Mapping[str, Any]) -> str:
    """What such an expectation found: values too many and too few."""
    parts = {
        "not expected": result.get("partial_unexpected_list"),
        "missing": result.get("partial_missing_list"),
    }
    told = [f"{words}: {_short(values)}" for words, values in parts.items() if values]
    return "; ".join(told) or "as expected"


def _without_a_result(outcome: Any) -> str:
    info = outcome.exception_info
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [str(entry["exception_message"]) for entry in entries if entry["raised_exception"]]
    if raised:
        return f"the check could not be made: {raised[0].strip()}"
    return "so it is" if outcome.success else "it is not so"
