"""The data gate: looks at a snapshot, keeps what it found, and says whether the run may go on.

Finding and deciding are two steps, so that the report is there, and can be looked at, also when
the answer is no.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import GateError
from fer_models.progress import report
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
    """What a look depends on beside the snapshot and the configuration: the file's content.

    Where the file can't be read this is ""; the look itself then says what is wrong.
    """
    return content_sha(config.expectations_file)


def validate_snapshot(
    store: ArtifactStore, snapshot: SnapshotRef, config: ValidationConfig
) -> ValidationRef:
    """Run every check over a snapshot and keep the results; failed checks don't raise.

    Returns:
        The artifact with `results.json` (one record a check), `report.html` and Great
        Expectations' Data Docs (`data_docs/index.html`). Its id follows from the snapshot, the
        reference and the results, so the same look at the same data is one artifact.

    Raises:
        ConfigError: the reference is unknown, or the user's own expectations or severities have
            faults; told before any work is done.
        StoreError: the snapshot is absent or damaged, or the store can't be written.
    """
    check_settings(store, config)
    opened = open_snapshot(store, snapshot)
    report("validate", 0, len(opened.manifest), "images")
    from validation.drift.checks import drift_table
    from validation.drift.reference import compare
    from validation.runner import evaluate
    from validation.tables import build_tables

    checks = checks_for(config)
    tables = build_tables(opened)
    comparison = None
    if config.reference:
        comparison = compare(store, config.reference, opened, tables["kept"])
        tables["drift"] = drift_table(comparison.reference, comparison.now)
    return _keep(store, opened, evaluate(tables, checks), comparison)


def _keep(
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
    data = json.dumps([result.to_json() for result in results], indent=1).encode()
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
    """Let the run go on, or refuse its data.

    Raises:
        GateError: a check failed as an error, or as a warning where `config.allow_warnings` is
            false; all of them are listed.
        StoreError: the results can't be read.
    """
    failed = [
        record for record in store.read_json(validation, RESULTS_FILE) if not record["passed"]
    ]
    errors = [record for record in failed if record["severity"] == "error"]
    refused = errors if config.allow_warnings else failed
    if not refused:
        return
    snapshot_id = store.info(validation)["snapshot_id"]
    raise GateError(
        f"the data gate refuses snapshot {snapshot_id[:12]}: {len(errors)} checks failed as "
        f"errors, {len(failed) - len(errors)} as warnings; report: {validation.url}/{REPORT_FILE}",
        problems=[_problem(record) for record in refused],
    )


def _problem(record: dict[str, Any]) -> str:
    examples = record["examples"][:_SHOWN_EXAMPLES]
    such_as = f", e.g. {', '.join(examples)}" if examples else ""
    return (
        f"{record['severity']} {record['check']}: expected {record['expected']}; "
        f"got {record['observed']}{such_as}; {record['remedy']}"
    )
