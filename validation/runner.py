"""Run checks with Great Expectations: in memory, without files, telemetry or progress bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

from validation.checks import MAX_EXAMPLES, Check, CheckResult
from validation.observations import result_of
from validation.tables import IMAGE_TABLES


@dataclass(frozen=True)
class Evaluation:
    """The results of all checks."""

    results: list[CheckResult]
    """One per check, in the order of the checks."""
    outcomes: dict[str, Any]
    """By table, Great Expectations' validation result of the same evaluation."""


def evaluate(tables: Mapping[str, pd.DataFrame], checks: Sequence[Check]) -> Evaluation:
    """Evaluate all checks; a failed one does not stop the others.

    Args:
        tables: by name, as returned by `validation.tables.build_tables`.
        checks: each refers to one of the tables; their names are unique.
    """
    source = _quiet_context().data_sources.add_pandas("snapshot")
    results: dict[str, CheckResult] = {}
    outcomes: dict[str, Any] = {}
    for name in dict.fromkeys(check.table for check in checks):
        of_table = {check.name: check for check in checks if check.table == name}
        outcomes[name] = _outcome(source, name, tables[name], of_table)
        for single in outcomes[name].results:
            check = of_table[single.expectation_config.meta["check"]]
            results[check.name] = result_of(check, single, tables[name], _index(name))
    return Evaluation([results[check.name] for check in checks], outcomes)


def _outcome(source: Any, name: str, table: pd.DataFrame, checks: Mapping[str, Check]) -> Any:
    suite = gx.ExpectationSuite(name=name)
    for check in checks.values():
        expectation = check.expectation
        expectation.meta = {"check": check.name, "severity": check.severity}
        expectation.severity = "critical" if check.severity == "error" else "warning"
        suite.expectations.append(expectation)
    asset = source.add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
    return batch.validate(
        suite,
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": [_index(name)],
            "partial_unexpected_count": MAX_EXAMPLES,
        },
    )


def _index(table: str) -> str:
    return "image_id" if table in IMAGE_TABLES else "name"


def _quiet_context() -> Any:
    return gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
