"""`ferflow task evaluate`."""

from typing import TYPE_CHECKING, Any

import click

from deployments.cli.latest import find_snapshot
from deployments.cli.options import config_options
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.step import Step, model_option, number, snapshot_option
from fer_models.errors import StoreError
from fer_models.storage.latest import remember
from fer_models.storage.refs import EnsembleRef, EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.evaluation.results import ModelMetrics, Share, SplitMetrics


@click.command()
@config_options
@snapshot_option
@run_option
@model_option
@reporting
def evaluate(snapshot_id: str | None, model_ids: tuple[str, ...], **options: Any) -> Produced:
    """Evaluate models and ensembles on validation and test.

    With --model, every metric is computed again from the store alone, on the data that the model
    was trained on, and printed with its n and interval.
    """
    step = Step(options)
    from tasks.evaluate import evaluate as stage

    models = step.models(model_ids)
    snapshots = _snapshots(step, models, snapshot_id, bool(model_ids))
    if not model_ids:
        ensembles = _ensembles_of(step, models, snapshots[0])
        models, snapshots = [*models, *ensembles], snapshots + snapshots[:1] * len(ensembles)
    before = set(step.store.list_ids(EvaluationRef))
    produced: list[Produced] = []
    with progress_display():
        for model, snapshot in zip(models, snapshots, strict=True):
            evaluation = stage.fn(snapshot, model, step.config.evaluation, step.config.store)
            if not model_ids:
                remember(step.store, f"evaluate-{model.name}", evaluation)
            produced.append(_facts(step.store, evaluation, evaluation.id in before))
    for facts in produced:
        (_print_all if model_ids else _print_accuracies)(step.store, facts)
    return {"snapshot": snapshots[0].id, "evaluations": produced}


def _snapshots(
    step: Step, models: list[ModelRef], wanted: str | None, are_named: bool
) -> list[SnapshotRef]:
    """The snapshot of each model: the given one, that of a named model, or the latest."""
    if wanted:
        return [find_snapshot(step.store, wanted)] * len(models)
    if are_named:
        return [
            step.store.ref(SnapshotRef, str(step.store.info(model)["snapshot_id"]))
            for model in models
        ]
    return [step.recall("split", SnapshotRef)] * len(models)


def _facts(store: ArtifactStore, evaluation: EvaluationRef, is_stored: bool) -> Produced:
    from fer_models.evaluation.command import evaluation_command
    from fer_models.evaluation.evaluate import read_evaluation
    from tasks.artifacts.tables import evaluation_rows, gap_rows, headline_rows, slice_rows

    metrics = read_evaluation(store, evaluation)
    return {
        "evaluation": evaluation.id,
        "was_stored": is_stored,
        "model": metrics.model_id,
        "name": metrics.model_name,
        "snapshot": metrics.snapshot_id,
        "temperature": metrics.temperature,
        "confidence": metrics.settings.confidence,
        "splits": evaluation_rows(store, evaluation),
        "headlines": headline_rows(store, evaluation),
        "sliced_split": metrics.sliced_split,
        "slices": slice_rows(store, evaluation),
        "gaps": gap_rows(store, evaluation),
        "crowd": {
            name: split.crowd.model_dump() for name, split in metrics.splits.items() if split.crowd
        },
        "command": evaluation_command(store.url, metrics.model_id, metrics.settings),
    }


def _metrics(store: ArtifactStore, facts: Produced) -> "ModelMetrics":
    from fer_models.evaluation.evaluate import read_evaluation

    return read_evaluation(store, store.ref(EvaluationRef, facts["evaluation"], model_id=""))


def _print_accuracies(store: ArtifactStore, facts: Produced) -> None:
    metrics = _metrics(store, facts)
    names = ("accuracy", "macro_f1", "log_loss", "calibration_error")
    rows = [
        [
            name.replace("_", "\n", 1).replace("_", " "),
            str(split.n),
            _cell(split, "accuracy"),
            *(number(getattr(split, metric)) for metric in names[1:]),
        ]
        for name, split in metrics.splits.items()
    ]
    columns = ["images", "n", "accuracy", "macro\nF1", "log\nloss", "calib.\nerror"]
    print_table(metrics.model_name, columns, rows)


def _print_all(store: ArtifactStore, facts: Produced) -> None:
    metrics = _metrics(store, facts)
    _print_headlines(metrics)
    _print_slices(metrics)
    print_facts(
        {
            "temperature": str(metrics.temperature),
            "snapshot": metrics.snapshot_id,
            "evaluation": facts["evaluation"]
            + (" (equal to the stored one)" if facts["was_stored"] else " (new)"),
            "again": facts["command"],
        }
    )


def _print_slices(metrics: "ModelMetrics") -> None:
    """A row for each slice, and one for the gap of each column."""
    rows, gaps = [], []
    for sliced in metrics.slices:
        notes = {}
        if sliced.gap is not None:
            gap = sliced.gap
            notes = {gap.best: "best", gap.worst: "worst"}
            interval = _interval(gap.low, gap.high)
            gaps.append([sliced.column, number(gap.value), interval, number(gap.by_chance)])
        for part in sliced.slices:
            note = f"n < {metrics.settings.min_slice_images}" if part.is_small else ""
            accuracy = f"{number(part.accuracy)}\n{_interval(part.low, part.high)}"
            name = f"{sliced.column}\n{part.name}"
            rows.append([name, str(part.n), accuracy, notes.get(part.name, note)])
    title = f"Accuracy on slices of {metrics.sliced_split}"
    print_table(title, ["slice", "n", "accuracy", "note"], rows)
    if gaps:
        columns = ["gap between best and worst", "gap", "interval", "by chance up to"]
        print_table("Gaps in accuracy", columns, gaps)


def _print_headlines(metrics: "ModelMetrics") -> None:
    """A row for each metric, a column for each set of images."""
    from fer_models.evaluation.results import HEADLINES

    splits = metrics.splits
    columns = [
        f"{name.replace('_', ' ')}\nn={split.n}\n{split.num_groups} groups"
        for name, split in splits.items()
    ]
    cells = {name: [_cell(split, name) for split in splits.values()] for name in HEADLINES}
    cells |= {
        f"crowd {name}": [_share(getattr(split.crowd, name, None)) for split in splits.values()]
        for name in ("agreement", "sure", "split", "oracle")
    }
    rows = [[name.replace("_", " "), *row] for name, row in cells.items() if any(row)]
    title = f"{metrics.model_name}, with {100 * metrics.settings.confidence:g} % intervals"
    print_table(title, ["metric", *columns], rows)


def _cell(split: "SplitMetrics", name: str) -> str:
    value = getattr(split, name)
    if value is None:
        return ""
    return f"{number(value)}\n{_interval(*split.intervals.get(name, (None, None)))}"


def _share(share: "Share | None") -> str:
    if share is None:
        return ""
    return f"{number(share.value)} n={share.n}\n{_interval(share.low, share.high)}"


def _interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"[{low:.4f}, {high:.4f}]"


def _ensembles_of(step: Step, models: list[ModelRef], snapshot: SnapshotRef) -> list[ModelRef]:
    """The latest ensembles, if they were built from these models on this snapshot."""
    from fer_models.ensembling.ensemble import ENSEMBLE_FILE

    built = step.recall_if_any("ensemble", EnsembleRef)
    if built is None:
        return []
    try:
        content = step.store.read_json(built, ENSEMBLE_FILE)
    except StoreError:
        return []
    members = {c["model_id"] for c in content["candidates"] if c["method"] is None}
    matches = members == {m.id for m in models} and content["snapshot_id"] == snapshot.id
    return list(built.ensembles) if matches else []
