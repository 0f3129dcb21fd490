"""Snapshots and predictions with class lists other than FER2013's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.snapshot import (
    KEPT,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.evaluation.results import ClassMetrics, SplitMetrics
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces

OWN = ClassList.named(["happy", "sad", "bored", "very bored"])
EIGHT = ClassList.named([*FER2013_CLASSES.names, "contempt"])
TWO = ClassList.named(["sad", "happy"])
MANY = ClassList.named([f"state {number:02d} of a tired mind" for number in range(40)])
LISTS = (OWN, EIGHT, TWO, MANY)
FOREIGN = {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"}


def foreign_names(classes: ClassList) -> set[str]:
    """Names of basic emotions that the list does not have."""
    return FOREIGN - set(classes.names)


def own_snapshot(
    store: ArtifactStore,
    classes: ClassList,
    per_class: int = 12,
    votes: Sequence[int] = (),
    step: str = "split",
) -> SnapshotRef:
    """Drawn faces, equally many of each class, half of them in training."""
    labels = np.arange(per_class * len(classes)) % len(classes)
    images = draw_faces(labels % 7, len(classes))
    shas = pixel_sha256(images)
    splits = np.array(["train", "train", "validation", "test"])
    table = pd.DataFrame(
        {
            "image_id": [f"own-{row:05d}" for row in range(len(labels))],
            "source": "own",
            "row": np.arange(len(labels)),
            "path": "",
            "split": splits[np.arange(len(labels)) // len(classes) % 4],
            "label": labels,
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": KEPT,
            "reason": "",
        }
    )
    if len(votes):
        table[list(VOTE_COLUMNS)] = np.array(votes)
    return write_snapshot(store, table, images, step, classes=classes)


def doubtful_snapshot(
    store: ArtifactStore, classes: ClassList, num_doubtful: int = 5
) -> SnapshotRef:
    """A cleaned snapshot whose first training images have a low label quality."""
    raw = open_snapshot(store, own_snapshot(store, classes, step="ingest"))
    doubtful = np.arange(len(raw.manifest)) < num_doubtful
    table = raw.manifest[["image_id", "label"]].assign(
        reason="",
        score=np.where(doubtful, 0.1 + 0.01 * raw.manifest["label"], 1.0),
        evidence=1.0,
        suggested_label=np.where(doubtful, (raw.manifest["label"] + 1) % len(classes), -1),
        related_id="",
        probability=np.nan,
        suggested_probability=np.nan,
    )
    tables = {"decisions": table}
    return write_snapshot(store, raw.manifest, raw.images, "clean", raw.ref, tables)


def probabilities(labels: npt.NDArray[np.int64], num_classes: int) -> npt.NDArray[np.float64]:
    """N x K probabilities that favour the label."""
    rng = np.random.default_rng(num_classes)
    weights = rng.random((len(labels), num_classes))
    weights[np.arange(len(labels)), labels] += 0.6
    scaled: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return scaled


def split_metrics(
    classes: ClassList, labels: npt.NDArray[np.int64], probs_NK: npt.NDArray[np.float64]
) -> SplitMetrics:
    """Metrics of the predictions, computed by scikit-learn."""
    predicted, numbers = probs_NK.argmax(axis=1), range(len(classes))
    scores = precision_recall_fscore_support(
        labels, predicted, labels=list(numbers), zero_division=0.0
    )
    accuracy = float((predicted == labels).mean())
    return SplitMetrics(
        n=len(labels),
        accuracy=accuracy,
        num_groups=len(labels),
        top2_accuracy=None,
        top5_accuracy=None,
        balanced_accuracy=float(scores[1].mean()),
        macro_precision=float(scores[0].mean()),
        macro_recall=float(scores[1].mean()),
        kappa=None,
        macro_f1=float(scores[2].mean()),
        log_loss=1.0,
        brier=0.5,
        calibration_error=0.1,
        calibration_error_scaled=None,
        intervals={"accuracy": (max(accuracy - 0.1, 0.0), min(accuracy + 0.1, 1.0))},
        crowd=None,
        auroc=None,
        per_class={
            name: ClassMetrics(
                n=int(scores[3][k]),
                precision=float(scores[0][k]),
                recall=float(scores[1][k]),
                f1=float(scores[2][k]),
                auroc=None,
                intervals={},
            )
            for k, name in enumerate(classes.names)
        },
        confusion=tuple(
            tuple(int(count) for count in row)
            for row in confusion_matrix(labels, predicted, labels=list(numbers))
        ),
    )
