"""The data gate: looks at a snapshot, keeps what it found, and says whether the run may go on.

Finding and deciding are two steps, so that the report is there, and can be looked at, also when
the answer is no.
"""

import hashlib
import json
from typing import Any

from fer_models.data.config import ValidationConfig
from fer_models.data.snapshot import open_snapshot
from fer_models.errors import GateError
from fer_models.progress import report
from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from validation.checks import num_failed

RESULTS_FILE = "results.json"
REPORT_FILE = "report.html"
_SHOWN_EXAMPLES = 3


def validate_snapshot(
    store: ArtifactStore, snapshot: SnapshotRef, config: ValidationConfig
) -> ValidationRef:
    """Run every check over a snapshot and keep the results; failed checks don't raise.

    Returns:
        The artifact with `results.json` (one record a check) and `report.html`. Its id follows
        from the snapshot and the results, so the same look at the same data is one artifact.

    Raises:
        StoreError: the snapshot is absent or damaged, or the store can't be written.
    """
    opened = open_snapshot(store, snapshot)
    report("validate", 0, len(opened.manifest), "images")
    from validation.report import render_report
    from validation.runner import all_checks, run_checks
    from validation.tables import build_tables

    results = run_checks(build_tables(opened), all_checks(config))
    num_errors, num_warnings = num_failed(results, "error"), num_failed(results, "warning")
    facts = {
        "snapshot_id": snapshot.id,
        "passed": num_errors == 0,
        "num_errors": num_errors,
        "num_warnings": num_warnings,
    }
    data = json.dumps([result.to_json() for result in results], indent=1).encode()
    return store.put(
        ValidationRef,
        hashlib.sha256(snapshot.id.encode() + data).hexdigest()[:24],
        {RESULTS_FILE: data, REPORT_FILE: render_report(opened, results).encode()},
        facts,
        passed=num_errors == 0,
        num_errors=num_errors,
        num_warnings=num_warnings,
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
