"""Table rows about artifacts, for the Prefect UI and the terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.evaluation.evaluate import read_evaluation
from fer_models.evaluation.results import Slice, SliceColumn
from fer_models.promotion.criteria import Criterion
from fer_models.promotion.gate.row import GateCriterion
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    ModelRef,
    ScoresRef,
    SnapshotRef,
    TuningRef,
)
from fer_models.storage.store import ArtifactStore

Row = dict[str, Any]


def snapshot_rows(store: ArtifactStore, snapshot: SnapshotRef) -> list[Row]:
    """One row per class: number of images, and of those kept."""
    info = store.info(snapshot)
    return [
        {
            "class": name,
            "images": info["class_counts"][name],
            "kept": info["kept_class_counts"][name],
        }
        for name in ClassList.from_info(info).names
    ]


def reason_rows(store: ArtifactStore, snapshot: SnapshotRef) -> list[Row]:
    """One row per quarantine reason."""
    reasons = store.info(snapshot)["reasons"]
    return [{"reason": reason, "images": count} for reason, count in reasons.items()]


def score_rows(store: ArtifactStore, scores: ScoresRef) -> list[Row]:
    """One row: number of scored images, out-of-fold accuracy and label issues."""
    info = store.info(scores)
    columns = ("num_images", "num_judged", "accuracy_out_of_fold", "label_issues")
    return [{column: info[column] for column in columns}]


def trial_rows(store: ArtifactStore, tuning: TuningRef) -> list[Row]:
    """One row per trial, best first."""
    trials = store.read_json(tuning, "trials.json")
    trials.sort(key=lambda trial: -(trial["validation_accuracy"] or 0.0))
    return [
        {
            "trial": trial["trial"],
            **trial["setting"],
            "epochs": trial["epochs"],
            "validation_accuracy": trial["validation_accuracy"],
        }
        for trial in trials
    ]


def model_rows(store: ArtifactStore, model: ModelRef) -> list[Row]:
    """One row: the model, its size, its validation accuracy, and the node that trained it."""
    info = store.info(model)
    columns = ("name", "parameters", "validation_accuracy", "train_seconds", "seed")
    more = {"node": info["node"]["host"]} if "node" in info else {}
    if "out_of_fold_accuracy" in info:
        more["out_of_fold_accuracy"] = info["out_of_fold_accuracy"]
    return [{"id": model.id, **{column: info.get(column) for column in columns}, **more}]


def final_rows(store: ArtifactStore, model: ModelRef) -> list[Row]:
    """One row: the final fit, what it repeats and its size; it has no validation accuracy."""
    info = store.info(model)
    columns = ("name", "final_fit_of", "parameters", "train_seconds", "seed")
    return [{"id": model.id, **{column: info.get(column) for column in columns}}]


def evaluation_rows(store: ArtifactStore, evaluation: EvaluationRef) -> list[Row]:
    """One row per set of images."""
    metrics = read_evaluation(store, evaluation)
    columns = ("macro_f1", "log_loss", "calibration_error", "calibration_error_scaled")
    return [
        {
            "split": split,
            "n": values.n,
            "accuracy": values.accuracy,
            "accuracy_low": values.accuracy_low,
            "accuracy_high": values.accuracy_high,
            **{column: getattr(values, column) for column in columns},
        }
        for split, values in metrics.splits.items()
    ]


def headline_rows(store: ArtifactStore, evaluation: EvaluationRef) -> list[Row]:
    """One row per metric of every set of images, with n and interval (None if there is none)."""
    metrics = read_evaluation(store, evaluation)
    return [
        {
            "split": split,
            "metric": headline.name,
            "n": headline.n,
            "value": headline.value,
            "low": headline.low,
            "high": headline.high,
        }
        for split, values in metrics.splits.items()
        for headline in values.headlines()
    ]


def slice_rows(store: ArtifactStore, evaluation: EvaluationRef) -> list[Row]:
    """One row per slice of the test images (of validation without a test split)."""
    metrics = read_evaluation(store, evaluation)
    return [
        {
            "column": sliced.column,
            "slice": part.name,
            "n": part.n,
            "accuracy": part.accuracy,
            "accuracy_low": part.low,
            "accuracy_high": part.high,
            "note": _slice_note(part, sliced, metrics.settings.min_slice_images),
        }
        for sliced in metrics.slices
        for part in sliced.slices
    ]


def gap_rows(store: ArtifactStore, evaluation: EvaluationRef) -> list[Row]:
    """One row per sliced column: the gap in accuracy between its best and its worst slice."""
    return [
        {
            "column": sliced.column,
            "best": sliced.gap.best,
            "worst": sliced.gap.worst,
            "gap": sliced.gap.value,
            "low": sliced.gap.low,
            "high": sliced.gap.high,
            "by_chance": sliced.gap.by_chance,
        }
        for sliced in read_evaluation(store, evaluation).slices
        if sliced.gap is not None
    ]


def _slice_note(part: Slice, sliced: SliceColumn, min_images: int) -> str:
    if part.is_small:
        return f"fewer than {min_images} images: not compared"
    names = {} if sliced.gap is None else {sliced.gap.best: "best", sliced.gap.worst: "worst"}
    return names.get(part.name, "")


def ensemble_rows(store: ArtifactStore, ensemble: EnsembleRef) -> list[Row]:
    """One row per member and ensemble, then one for the choice among them.

    `cross_validated_...` are scores on images that nothing was fitted to: by what was chosen, and
    the log loss, or the accuracy if the log loss chose. That of the choice is the nested estimate:
    the chosen model's own score is the best of several, and so too good.
    """
    content = store.read_json(ensemble, "ensemble.json")
    metric = content["metric"]
    names = Counter(entry["name"] for entry in content["candidates"])
    rows = [
        {
            "role": _role(entry, content["chosen"]),
            # Seeds of a member have the same name.
            "model": entry["name"] if names[entry["name"]] == 1 else entry["model_id"],
            f"validation_{metric}": entry["validation"][metric],
            **_score_columns(metric, entry["cross_validated"]),
            "multiply_adds": entry["multiply_adds"],
        }
        for entry in content["candidates"]
    ]
    nested = _score_columns(metric, content["nested"])
    choice = {"role": "choice", "model": "nested estimate", f"validation_{metric}": None}
    return [*rows, {**choice, **nested, "multiply_adds": None}]


def _role(entry: Mapping[str, Any], chosen: str) -> str:
    if entry["model_id"] == chosen:
        return "candidate"
    return "member" if entry["method"] is None else "ensemble"


def _score_columns(metric: str, scores: Mapping[str, Any]) -> Row:
    found = scores[metric]
    second = second_score(metric)
    return {
        f"cross_validated_{metric}": found["value"],
        f"{metric}_low": found["low"],
        f"{metric}_high": found["high"],
        f"cross_validated_{second}": scores[second]["value"],
    }


def second_score(metric: str) -> str:
    """The score that is shown beside that of the choice."""
    return "accuracy" if metric == "log_loss" else "log_loss"


def criterion_rows(criteria: Iterable[Criterion]) -> list[Row]:
    """One row per criterion of the retraining decision."""
    return [
        {
            "criterion": criterion.name,
            "observed": criterion.observed,
            "threshold": criterion.threshold,
            "outcome": criterion.outcome,
            "finding": criterion.text,
        }
        for criterion in criteria
    ]


def gate_rows(criteria: Iterable[GateCriterion]) -> list[Row]:
    """One row per criterion of the promotion gate."""
    return [
        {
            "criterion": criterion.name,
            "figure": criterion.figure,
            "limit": criterion.limit,
            "outcome": criterion.outcome,
            "finding": criterion.text,
        }
        for criterion in criteria
    ]
