"""`ferflow task ingest|validate|score|clean|split`."""

from pathlib import Path
from typing import Any

import click

from deployments.cli.options import config_options
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.review.labels import apply_decisions, labels_option
from deployments.cli.runs.texts import rejected_facts
from deployments.cli.task.step import Step, number, short, snapshot_option
from fer_models.classes.described import label_lines
from fer_models.errors import GateError
from fer_models.storage.latest import remember
from fer_models.storage.refs import DecisionsRef, SnapshotRef
from fer_models.storage.store import ArtifactStore


@click.command()
@config_options
@labels_option
@reporting
def ingest(decisions_file: Path | None, **options: Any) -> Produced:
    """Read the sources into a raw snapshot, and add the faces that people have labelled."""
    step = Step(options, takes_data=True)
    from tasks.ingest import ingest as stage
    from tasks.labelled import labelled_faces

    step.store.check_writable()
    config = step.config
    published = apply_decisions(step.store, decisions_file, config.data)
    labelled = labelled_faces.fn(config.store) if config.data.labelled else None
    with progress_display():
        snapshot = stage.fn(config.data, config.seed, config.store, labelled)
    return _report_snapshot(step.store, "ingest", snapshot) | published


@click.command()
@config_options
@snapshot_option
@run_option
@click.option(
    "--allow-warnings/--no-allow-warnings",
    default=None,
    help="Whether warnings pass the gate.  [default: as configured]",
)
@reporting
def validate(snapshot_id: str | None, allow_warnings: bool | None, **options: Any) -> Produced:
    """Validate the raw snapshot. Exit code 3 if the gate rejects it."""
    step = Step(options)
    from tasks.validate import gate
    from tasks.validate import validate as stage

    config = step.config.validation
    if allow_warnings is not None:
        config = config.model_copy(update={"allow_warnings": allow_warnings})
    snapshot = step.snapshot(snapshot_id, "ingest")
    with progress_display():
        validation = stage.fn(snapshot, config, step.config.store)
    remember(step.store, "validate", validation)
    results = step.store.read_json(validation, "results.json")
    failed = sorted(
        (result for result in results if not result["passed"]),
        key=lambda result: str(result["severity"]),
    )
    _print_failed(failed)
    info = step.store.info(snapshot)
    facts = {
        "validation": validation.id,
        "snapshot": snapshot.id,
        "passed": validation.passed,
        "checks": len(results),
        "num_errors": validation.num_errors,
        "num_warnings": validation.num_warnings,
        "failed": failed,
        "num_images": info["num_images"],
        "class_counts": info["class_counts"],
        "url": validation.url,
        "report": f"{validation.url}/report.html",
    }
    print_facts(short(facts, "failed", "class_counts", "url"))
    try:
        gate.fn(snapshot, validation, config, step.config.store)
    except GateError as error:
        click.secho(f"error: {error}", err=True, fg="red")
        return facts | {"error": error.message, "problems": list(error.problems), "exit_code": 3}
    return facts


def _print_failed(failed: list[dict[str, Any]]) -> None:
    columns = ["check", "severity", "expected", "observed"]
    rows = [[str(result[column]) for column in columns] for result in failed]
    if rows:
        print_table("Failed checks", columns, rows)


@click.command()
@config_options
@snapshot_option
@run_option
@reporting
def score(snapshot_id: str | None, **options: Any) -> Produced:
    """Score the raw labels with out-of-fold predictions."""
    step = Step(options)
    from tasks.score import score as stage

    snapshot = step.snapshot(snapshot_id, "ingest")
    with progress_display():
        scores = stage.fn(snapshot, step.config.scoring, step.config.seed, step.config.store)
    remember(step.store, "score", scores)
    facts = {"scores": scores.id, "url": scores.url, **step.store.info(scores)}
    print_facts({key: number(value) for key, value in facts.items()})
    return facts


@click.command()
@config_options
@snapshot_option
@run_option
@click.option(
    "--decisions",
    "decisions_file",
    type=click.Path(path_type=Path),
    help="Decisions file of the review page; stored, and applied from now on.",
)
@reporting
def clean(snapshot_id: str | None, decisions_file: Path | None, **options: Any) -> Produced:
    """Quarantine defective images of the raw snapshot. Labels are scored first."""
    step = Step(options)
    from tasks.clean import clean as stage
    from tasks.score import score as score_stage

    config = step.config
    snapshot = step.snapshot(snapshot_id, "ingest")
    decisions = _decisions(step, snapshot, decisions_file)
    with progress_display():
        scores = None
        if config.scores_labels:
            scores = score_stage.fn(snapshot, config.scoring, config.seed, config.store)
        cleaned = stage.fn(snapshot, scores, decisions, config.cleaning, config.store)
    facts = _report_snapshot(step.store, "clean", cleaned)
    facts["decisions"] = f"{cleaned.url}/decisions.parquet"
    shown = {"decisions": facts["decisions"]}
    if decisions is not None:
        shown["manual review"] = (
            f"version {decisions.version}: {facts['people_decided']} decisions applied, "
            f"{facts['people_unmatched']} for images that are not in the snapshot"
        )
    print_facts(shown)
    return facts


def _decisions(
    step: Step, snapshot: SnapshotRef, decisions_file: Path | None
) -> DecisionsRef | None:
    """The decisions to apply: the current ones, after merging those of the file."""
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.review.decisions import (
        current_decisions,
        match_decisions,
        publish_decisions,
        read_decisions,
    )

    if decisions_file is not None:
        opened = open_snapshot(step.store, snapshot)
        table = read_decisions(decisions_file, opened.classes)
        match_decisions(opened.manifest, table, opened.classes)
        publish_decisions(step.store, table, opened.manifest)
    elif not step.config.cleaning.honour_decisions:
        return None
    return current_decisions(step.store)


@click.command()
@config_options
@snapshot_option
@run_option
@reporting
def split(snapshot_id: str | None, **options: Any) -> Produced:
    """Split the cleaned snapshot into train, validation and test."""
    step = Step(options)
    from tasks.split import split as stage

    config = step.config
    snapshot = step.snapshot(snapshot_id, "clean")
    with progress_display():
        split_snapshot = stage.fn(snapshot, config.splitting, config.seed, config.store)
    return _report_snapshot(step.store, "split", split_snapshot)


def _report_snapshot(store: ArtifactStore, step: str, snapshot: SnapshotRef) -> Produced:
    from tasks.artifacts.tables import reason_rows, snapshot_rows

    remember(store, step, snapshot)
    info = store.info(snapshot)
    rows = [[str(value) for value in row.values()] for row in snapshot_rows(store, snapshot)]
    print_table("Images", ["class", "images", "kept"], rows)
    reasons = [[str(value) for value in row.values()] for row in reason_rows(store, snapshot)]
    if reasons:
        print_table("Quarantine", ["reason", "images"], reasons)
    facts: Produced = {"snapshot": snapshot.id, "url": snapshot.url, **info}
    for line in label_lines(info):
        click.echo(line)
    print_facts(
        {
            "snapshot": snapshot.id,
            "images": f"{info['num_images']} ({info['kept']} kept)",
            **rejected_facts(info.get("rejected", 0)),
            "splits": ", ".join(f"{name} {count}" for name, count in info["split_counts"].items()),
            "url": snapshot.url,
        }
    )
    return facts
