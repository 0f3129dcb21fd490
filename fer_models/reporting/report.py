"""The report: one self-contained HTML page of what a run did, and its lineage."""

import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from fer_models.progress import report
from fer_models.reporting.collect import RunConfig, RunFacts, RunRefs, collect
from fer_models.source_hash import source_hash
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

# Its source, and that of all it imports, is part of what a result depends on.
_ENTRY = "fer_models.reporting.report"

REPORT_FILE = "report.html"
LINEAGE_FILE = "lineage.json"
_TEMPLATES = resources.files("fer_models.reporting") / "templates"


def write_report(
    store: ArtifactStore,
    config: RunConfig,
    snapshot: SnapshotRef,
    validation: ValidationRef,
    tuning: TuningRef | None,
    evaluations: Sequence[EvaluationRef],
    ensemble: EnsembleRef,
    promotion: PromotionRef,
) -> RunRef:
    """Write the page and the lineage of a run.

    The id is taken over what the run was made of, and over the code that draws the page: the
    same run gives the same id, whenever it ran.

    Raises:
        DataError: the artifacts don't belong to the same snapshot.
        StoreError: an artifact is absent or damaged, or the store can't be written.
    """
    refs = RunRefs(snapshot, validation, tuning, tuple(evaluations), ensemble, promotion)
    report("report", 0, 2, "steps", "reading the artifacts")
    facts = collect(store, config, refs)
    run_id = _run_id(config, refs)
    run = RunRef(
        id=run_id,
        url=f"{store.url}/{RunRef.folder}/{run_id}",
        report_url=f"{store.url}/{RunRef.folder}/{run_id}/{REPORT_FILE}",
    )
    if store.exists(run):
        return run
    report("report", 1, 2, "steps", "drawing the page")
    lineage = {
        "run": run_id,
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "artifacts": refs.ids(),
        "models": {row.metrics.model_id: row.lineage for row in facts.rows},
    }
    written = store.put(
        RunRef,
        run_id,
        {
            REPORT_FILE: render_page(facts, run_id).encode(),
            LINEAGE_FILE: json.dumps(lineage, indent=1).encode(),
        },
        _info(facts),
        report_url=run.report_url,
    )
    report("report", 2, 2, "steps", written.report_url)
    return written


def render_page(facts: RunFacts, run_id: str) -> str:
    """The HTML of the report; it needs no other file and no network."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from fer_models.reporting.view import FILTERS, page_context

    environment = Environment(
        loader=FunctionLoader(lambda name: (_TEMPLATES / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template("report.html.j2").render(run_id=run_id, **page_context(facts))


def _run_id(config: RunConfig, refs: RunRefs) -> str:
    # Where the store and the tracking folder lie does not change what a run is.
    settings = config.model_dump(mode="json", exclude={"store", "tracking"})
    digest = hashlib.sha256(json.dumps([settings, refs.ids()], sort_keys=True).encode())
    digest.update(source_hash(_ENTRY).encode())
    for template in sorted(_TEMPLATES.iterdir(), key=lambda entry: entry.name):
        digest.update(template.read_bytes())
    return digest.hexdigest()[:24]


def _info(facts: RunFacts) -> dict[str, Any]:
    headline = facts.candidate.headline
    return {
        "name": facts.config.name,
        "snapshot_id": facts.snapshot.ref.id,
        "candidate_id": facts.candidate.metrics.model_id,
        "promoted": facts.refs.promotion.promoted,
        "accuracy": headline.accuracy,
        "n": headline.n,
    }
