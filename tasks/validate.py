"""Validate a snapshot, and stop the flow if it fails."""

from collections.abc import Mapping, Sequence
from typing import Any

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.links import markdown_link, page_link
from tasks.artifacts.publish import publish_markdown, publish_table
from tasks.completion import Parameters
from tasks.stage import stage
from validation.config import ValidationConfig
from validation.gate import (
    DATA_DOCS_FILE,
    REPORT_FILE,
    RESULTS_FILE,
    enforce_gate,
    settings_content,
    validate_snapshot,
)

_SHOWN_EXAMPLES = 3


def _settings_content(parameters: Mapping[str, Any]) -> str:
    return settings_content(parameters["config"])


def _publish(validation: ValidationRef, parameters: Parameters) -> None:
    records = ArtifactStore(parameters["store"]).read_json(validation, RESULTS_FILE)
    publish_table("validation", _rows(records), _headline(validation))
    pages = {"report": REPORT_FILE, "Data Docs": DATA_DOCS_FILE}
    links = [markdown_link(name, f"{validation.url}/{file}") for name, file in pages.items()]
    publish_markdown("validation-report", "\n\n".join(links), _headline(validation))


@stage("validation.gate", cache_key_extra=_settings_content, publish=_publish)
def validate(snapshot: SnapshotRef, config: ValidationConfig, store: StoreConfig) -> ValidationRef:
    """Run all checks on the snapshot; the results are an artifact, passed or not."""
    return validate_snapshot(ArtifactStore(store), snapshot, config)


@stage("validation.gate", cached=False, retries=0)
def gate(
    snapshot: SnapshotRef, validation: ValidationRef, config: ValidationConfig, store: StoreConfig
) -> SnapshotRef:
    """Return the snapshot, or stop the flow with all failed checks."""
    enforce_gate(ArtifactStore(store), validation, config)
    return snapshot


def _rows(records: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """One row per check: errors first, then warnings, then passed checks."""
    rows = [
        {
            "result": "passed" if record["passed"] else record["severity"],
            "check": record["check"],
            "expected": record["expected"],
            "observed": record["observed"],
            "examples": ", ".join(record["examples"][:_SHOWN_EXAMPLES]),
            "what to do": "" if record["passed"] else record["remedy"],
        }
        for record in records
    ]
    return sorted(rows, key=lambda row: ("error", "warning", "passed").index(row["result"]))


def _headline(validation: ValidationRef) -> str:
    report = page_link(f"{validation.url}/{REPORT_FILE}")
    return (
        f"Checks of the data gate, failed ones first: {validation.num_errors} errors, "
        f"{validation.num_warnings} warnings. Report: {report}"
    )
