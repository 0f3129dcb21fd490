"""The data gate: validates a snapshot, stores the results, and decides whether the run continues.

Validation and decision are separate steps, so the report exists even if the data is rejected.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import GateError
from fer_models.progress import report
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from validation.checks import num_failed
from validation.config import ValidationConfig
from validation.settings import check_settings, checks_for, content_sha

if TYPE_CHECKING:
    from validation.drift.reference import Comparison
    from validation.runner import Evaluation

RESULTS_FILE = "results.json"
REPORT_FILE = "report.html"
DATA_DOCS_FILE = "data_docs/index.html"
_SHOWN_EXAMPLES = 3


def settings_content(config: ValidationConfig) -> str:
    """Sha256 of the expectations file, which the results depend on besides snapshot and config.

    "" if the file can't be read; `validate_snapshot` then reports the problem.
    """
    return content_sha(config.expectations_file)


def validate_snapshot(
    store: ArtifactStore, snapshot: SnapshotRef, config: ValidationConfig
) -> ValidationRef:
    """Run all checks on a snapshot and store the results; failed checks do not raise.

    Returns:
        The artifact with `results.json` (one record per check), `report.html` and Great
        Expectations' Data Docs (`data_docs/index.html`). Its id is derived from the snapshot, the
        reference and the results, so validating the same data again gives the same artifact.

    Raises:
        ConfigError: unknown reference, or invalid custom expectations or severities; raised
            before any work is done.
        StoreError: the snapshot is missing or damaged, or the store can't be written.

    Example:
        Validate a snapshot and stop if a check fails as an error:

            store = ArtifactStore(StoreConfig(url=".ferflow/store"))
            snapshot = ingest_sources(store, DataConfig(sources=("fer2013.csv",)), seed=0)
            config = ValidationConfig(max_leak_fraction=0.05)
            validation = validate_snapshot(store, snapshot, config)
            enforce_gate(store, validation, config)
    """
    check_settings(store, config)
    opened = open_snapshot(store, snapshot)
    report("validate", 0, len(opened.manifest), "images")
    from validation.drift.checks import drift_table
    from validation.drift.reference import compare
    from validation.runner import evaluate
    from validation.tables import build_tables

    tables = build_tables(opened)
    comparison = None
    if config.reference:
        comparison = compare(store, config.reference, opened, tables["kept"])
        tables["drift"] = drift_table(comparison.reference, comparison.now)
    other_classes = comparison is not None and not comparison.has_same_classes
    checks = checks_for(config, opened.classes, other_classes)
    return _store_results(store, opened, evaluate(tables, checks), comparison)


def _store_results(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    evaluation: "Evaluation",
    comparison: "Comparison | None",
) -> ValidationRef:
    from validation.pages.data_docs import render_data_docs
    from validation.pages.report import render_report

    results = evaluation.results
    num_errors, num_warnings = num_failed(results, "error"), num_failed(results, "warning")
    verdict: dict[str, Any] = {
        "passed": num_errors == 0,
        "num_errors": num_errors,
        "num_warnings": num_warnings,
    }
    facts = {
        "snapshot_id": snapshot.ref.id,
        "reference_id": comparison.reference_id if comparison else None,
    }
    data = json_bytes([r.to_json() for r in results], sort_keys=False, allow_nan=True)
    return store.put(
        ValidationRef,
        hashlib.sha256(json.dumps(facts).encode() + data).hexdigest()[:24],
        {
            RESULTS_FILE: data,
            REPORT_FILE: render_report(snapshot, results, comparison).encode(),
            DATA_DOCS_FILE: render_data_docs(snapshot.ref.id, evaluation.outcomes).encode(),
        },
        facts | verdict,
        **verdict,
    )


def enforce_gate(store: ArtifactStore, validation: ValidationRef, config: ValidationConfig) -> None:
    """Raise if the data is rejected.

    Raises:
        GateError: a check failed as an error, or as a warning if `config.allow_warnings` is
            false; lists all of them.
        StoreError: the results can't be read.

    Example:
        Reject data with any failed check:

            enforce_gate(store, validation, ValidationConfig(allow_warnings=False))
    """
    failed = [
        record for record in store.read_json(validation, RESULTS_FILE) if not record["passed"]
    ]
    errors = [record for record in failed if record["severity"] == "error"]
    rejected = errors if config.allow_warnings else failed
    if not rejected:
        return
    snapshot_id = store.info(validation)["snapshot_id"]
    raise GateError(
        f"the data gate rejected snapshot {snapshot_id[:12]}: {len(errors)} checks failed as "
        f"errors, {len(failed) - len(errors)} as warnings; report: {validation.url}/{REPORT_FILE}",
        problems=[_problem(record) for record in rejected],
    )


def _problem(record: dict[str, Any]) -> str:
    examples = record["examples"][:_SHOWN_EXAMPLES]
    for_example = f", e.g. {', '.join(examples)}" if examples else ""
    return (
        f"{record['severity']} {record['check']}: expected {record['expected']}; "
        f"got {record['observed']}{for_example}; {record['remedy']}"
    )
