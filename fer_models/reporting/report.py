"""The report of a run: one self-contained HTML page, the model card, and the lineage as JSON."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fer_models.plotting.page import page_environment, templates_hash
from fer_models.progress import report
from fer_models.reporting.collect import RunConfig, RunFacts, RunRefs, collect
from fer_models.reporting.execution import Execution
from fer_models.reporting.model_card.markdown import MODEL_CARD_FILE, markdown
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    PromotionRef,
    RunRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore

# The source of this module and of all its imports is part of the run id.
_ENTRY = "fer_models.reporting.report"

REPORT_FILE = "report.html"
LINEAGE_FILE = "lineage.json"
PACKAGE = "fer_models.reporting"


def write_report(
    store: ArtifactStore,
    config: RunConfig,
    snapshot: SnapshotRef,
    validation: ValidationRef,
    tuning: TuningRef | None,
    evaluations: Sequence[EvaluationRef],
    ensemble: EnsembleRef,
    promotion: PromotionRef,
    execution: Execution | None = None,
) -> RunRef:
    """Write the report page of a run, the card of its candidate, and the lineage.

    The id hashes the configuration without store and tracking, the artifact ids, and the code and
    templates of the page. So the same run gets the same id, whenever it ran; a report that exists
    is kept with the date and the times of the execution that wrote it.

    Args:
        store: holds the artifacts of the run, and receives the report.
        config: configuration of the run.
        snapshot: the split snapshot that the members were trained on.
        validation: result of the data gate.
        tuning: the hyper-parameter search; None for a run without one.
        evaluations: one per member and ensemble; a model without one is measured here.
        ensemble: the ensembles, and which model became the candidate.
        promotion: the decision about the candidate.
        execution: the execution that writes the report, for its date and the times of its steps;
            no part of the id.

    Returns:
        The run; `report_url` is the page.

    Raises:
        DataError: the artifacts don't belong to the same snapshot.
        StoreError: an artifact is absent or damaged, or the store can't be written.

    Example:
        run = write_report(
            store, config, snapshot, validation, None, evaluations, ensemble, promotion
        )
        html = store.read_file(run, "report.html")
    """
    refs = RunRefs(snapshot, validation, tuning, tuple(evaluations), ensemble, promotion)
    report("report", 0, 2, "steps", "reading the artifacts")
    facts = collect(store, config, refs, execution)
    run_id = _run_id(config, refs)
    report_url = f"{store.artifact_url(RunRef, run_id)}/{REPORT_FILE}"
    run = store.ref(RunRef, run_id, report_url=report_url)
    if store.reuse(run):
        return run
    report("report", 1, 2, "steps", "rendering the page")
    lineage = {
        "run": run_id,
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "artifacts": refs.ids(),
        "execution": execution.model_dump(mode="json") if execution else None,
        "models": {row.metrics.model_id: row.lineage for row in facts.rows},
    }
    written = store.put(
        RunRef,
        run_id,
        {
            REPORT_FILE: render_page(facts, run_id).encode(),
            MODEL_CARD_FILE: markdown(facts.card).encode(),
            LINEAGE_FILE: json_bytes(lineage, sort_keys=False, allow_nan=True),
        },
        _info(facts),
        report_url=run.report_url,
    )
    report("report", 2, 2, "steps", written.report_url)
    return written


def render_page(facts: RunFacts, run_id: str) -> str:
    """The self-contained HTML of the report."""
    from fer_models.reporting.view import FILTERS, page_context

    environment = page_environment(PACKAGE)
    environment.filters |= FILTERS
    return environment.get_template("report.html.j2").render(run_id=run_id, **page_context(facts))


def _run_id(config: RunConfig, refs: RunRefs) -> str:
    # Where the store and the tracking folder are, and what is kept, is no part of a run's identity.
    settings = config.model_dump(mode="json", exclude={"store", "tracking", "retention"})
    digest = hashlib.sha256(json.dumps([settings, refs.ids()], sort_keys=True).encode())
    digest.update(source_hash(_ENTRY).encode())
    digest.update(templates_hash(PACKAGE).encode())
    return digest.hexdigest()[:24]


def _info(facts: RunFacts) -> dict[str, Any]:
    headline = facts.candidate.headline
    return {
        "name": facts.config.name,
        "snapshot_id": facts.snapshot.ref.id,
        "candidate_id": facts.candidate.metrics.model_id,
        "promoted": facts.refs.promotion.promoted,
        "verdict": facts.refs.promotion.verdict,
        "accuracy": headline.accuracy,
        "n": headline.n,
    }
