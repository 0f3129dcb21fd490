"""Table rows about artifacts, for the Prefect UI and the terminal."""

from collections.abc import Iterable
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.promotion.criteria import Criterion
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
    """One row per split."""
    metrics = store.read_json(evaluation, "metrics.json")
    columns = (
        "n",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "macro_f1",
        "log_loss",
        "calibration_error",
    )
    return [
        {"split": split, **{column: values[column] for column in columns}}
        for split, values in metrics["splits"].items()
    ]


def ensemble_rows(store: ArtifactStore, ensemble: EnsembleRef) -> list[Row]:
    """One row per ensemble, and one for the candidate."""
    rows: list[Row] = []
    for model in (*ensemble.ensembles, ensemble.candidate):
        accuracy = store.info(model)["validation_accuracy"]
        role = "candidate" if model is ensemble.candidate else "ensemble"
        rows.append({"role": role, "model": model.name, "validation_accuracy": accuracy})
    return rows


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
