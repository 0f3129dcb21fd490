"""Runs checks with Great Expectations: in memory, without files, telemetry or progress bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

from fer_models.data.config import ValidationConfig
from validation import (
    class_balance,
    duplicates,
    image_statistics,
    labels,
    leakage,
    schema,
    splits,
)
from validation.checks import MAX_EXAMPLES, Check, CheckResult
from validation.tables import IMAGE_TABLES

SUITES = (schema, labels, splits, image_statistics, duplicates, leakage, class_balance)


def all_checks(config: ValidationConfig) -> list[Check]:
    """The checks of every suite, in the order of the report."""
    return [check for suite in SUITES for check in suite.checks(config)]


def run_checks(tables: Mapping[str, pd.DataFrame], checks: Sequence[Check]) -> list[CheckResult]:
    """Evaluate all checks, failed ones too, and return their results in the same order.

    Args:
        tables: by name, as `validation.tables.build_tables` makes them.
        checks: each looks at one of the tables; their names are unique.
    """
    source = _quiet_context().data_sources.add_pandas("snapshot")
    results: dict[str, CheckResult] = {}
    for name in dict.fromkeys(check.table for check in checks):
        table = tables[name]
        index = "image_id" if name in IMAGE_TABLES else "name"
        of_table = [check for check in checks if check.table == name]
        by_name = {check.name: check for check in of_table}
        suite = gx.ExpectationSuite(name=name)
        for check in of_table:
            check.expectation.meta = {"check": check.name}
            suite.expectations.append(check.expectation)
        asset = source.add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
        outcome = batch.validate(
            suite,
            result_format={
                "result_format": "SUMMARY",
                "unexpected_index_column_names": [index],
                "partial_unexpected_count": MAX_EXAMPLES,
            },
        )
        for single in outcome.results:
            check = by_name[single.expectation_config.meta["check"]]
            results[check.name] = _result(check, single, table, index)
    return [results[check.name] for check in checks]


def _quiet_context() -> Any:
    return gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )


def _result(check: Check, outcome: Any, table: pd.DataFrame, index: str) -> CheckResult:
    result = outcome.result or {}
    failing = [str(row[index]) for row in result.get("partial_unexpected_index_list") or []]
    count = int(result.get("unexpected_count", not outcome.success))
    if not result:
        observed = f"the check could not be made: {_first_exception(outcome)}"
    elif "observed_value" in result:
        observed = _of_table(result)
    elif index == "image_id":
        observed = _of_images(count, len(table))
    else:
        observed = _of_rows(table[table[index].isin(failing)] if failing else table, check)
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
    )


def _of_table(result: Mapping[str, Any]) -> str:
    missing = result.get("details", {}).get("mismatched", {}).get("missing")
    if missing:
        return f"missing: {', '.join(missing)}"
    value = result["observed_value"]
    return "all of them" if isinstance(value, list) else f"{value:,} images"


def _of_images(count: int, total: int) -> str:
    if not total:
        return "no image to look at"
    if not count:
        return f"holds for all {total:,} images"
    return f"{count:,} of {total:,} images are otherwise (share {count / total:.3g})"


def _of_rows(rows: pd.DataFrame, check: Check) -> str:
    column = getattr(check.expectation, "column", None) or check.expectation.column_A
    if rows.empty:
        return "none is there"
    values = [f"{value:,.6g}" for value in rows[column]]
    if check.table == "summary":
        return values[0]
    return ", ".join(f"{name} {value}" for name, value in zip(rows["name"], values, strict=True))


def _first_exception(outcome: Any) -> str:
    info = outcome.exception_info
    entries = [info] if "raised_exception" in info else list(info.values())
    return next((str(e["exception_message"]) for e in entries), "unknown reason").strip()
