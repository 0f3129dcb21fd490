"""Snapshots and models without any training, but with everything that later stages read."""

import hashlib
import io
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import (
    IMAGE_SIZE_PX,
    KEPT,
    QUARANTINED,
    DatasetSnapshot,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import CLASS_NAMES, NUM_CLASSES, VOTE_COLUMNS
from fer_models.storage.refs import ModelRef, SnapshotRef, TuningRef, ValidationRef
from fer_models.storage.store import ArtifactStore

Floats = npt.NDArray[np.float64]
PREPROCESSING = {
    "image_size_px": 48,
    "in_channels": 1,
    "mean": 0.5,
    "std": 0.25,
    "classes": list(CLASS_NAMES),
}


def draw_faces(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint8]:
    """A crude face for each label (mouth and brows differ by class), uint8 N x 48 x 48.

    Each has a pattern of its own, so that none looks like a near copy of another one.
    """
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng([seed, 1]).normal(0, 45, (len(labels), 8, 8))
    y, x = np.mgrid[0:IMAGE_SIZE_PX, 0:IMAGE_SIZE_PX] / 24.0 - 1.0
    faces = np.empty((len(labels), IMAGE_SIZE_PX, IMAGE_SIZE_PX), dtype=np.uint8)
    bends = (-0.2, -0.1, 0.05, 0.35, -0.35, 0.0, 0.0)
    for row, label in enumerate(labels):
        dx, dy = rng.normal(0, 0.05, 2)
        u, v = x - dx, y - dy
        image = 60 + 20 * rng.random() + 10 * v
        image = np.where((u / 0.75) ** 2 + (v / 0.95) ** 2 < 1, 180 + 25 * u, image)
        for side in (-0.32, 0.32):
            image = np.where((u - side) ** 2 / 0.02 + (v + 0.2) ** 2 / 0.006 < 1, 50, image)
            tilt = (0.5 if label in (0, 1) else -0.3 if label in (2, 4) else 0) * np.sign(side)
            brow = np.abs(v + 0.42 + tilt * (u - side) * -1) < 0.045
            image = np.where(brow & (np.abs(u - side) < 0.2), 60, image)
        curve = 0.5 + bends[label] * (0.12 - u**2) * 4
        thickness = 0.16 if label == 5 else 0.045
        image = np.where((np.abs(v - curve) < thickness) & (np.abs(u) < 0.35), 70, image)
        image = image + np.kron(patterns[row], np.ones((6, 6)))
        faces[row] = np.clip(image + rng.normal(0, 9, image.shape), 0, 255)
    return faces


def build_snapshot(
    store: ArtifactStore,
    num_images: int = 280,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    classes: tuple[int, ...] = tuple(range(NUM_CLASSES)),
    num_quarantined: int = 12,
    num_leaks: int = 3,
    step: str = "split",
    with_truth: bool = False,
) -> SnapshotRef:
    """A split snapshot of drawn images; the last training rows are quarantined.

    The first `num_leaks` quarantined images are copies of kept test images.
    """
    rng = np.random.default_rng(seed)
    labels = np.array([classes[i % len(classes)] for i in range(num_images)], dtype=np.int64)
    splits = rng.choice(["train", "validation", "test"], size=num_images, p=fractions)
    images = draw_faces(labels, seed)
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test")
    bad = train[len(train) - num_quarantined :]
    num_leaks = min(num_leaks, len(test), len(bad))
    images[bad[:num_leaks]] = images[test[:num_leaks]]
    images[bad[-3:]] = np.array([3, 250, 90], dtype=np.uint8)[: len(bad), None, None]
    status = np.full(num_images, KEPT, dtype=object)
    reason = np.full(num_images, "", dtype=object)
    status[bad] = QUARANTINED
    reason[bad] = "near_duplicate"
    reason[bad[-3:]] = "blank"
    reason[bad[:num_leaks]] = "leak"
    shas = pixel_sha256(images)
    table = pd.DataFrame(
        {
            "image_id": [f"hand-{seed}-{i:05d}" for i in range(num_images)],
            "source": "hand",
            "row": np.arange(num_images),
            "path": "",
            "split": splits,
            "label": labels,
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": status,
            "reason": reason,
        }
    )
    tables = {"truth": _truth(table, test[:num_leaks])} if with_truth else {}
    return write_snapshot(store, table, images, step, tables=tables)


def draw_probabilities(labels: npt.NDArray[np.int64], skill: float, seed: int) -> Floats:
    """Softmax of noise plus `skill` for the label, N x 7: 0 is chance, 3 is about 85 % accuracy."""
    rng = np.random.default_rng(seed)
    logits = 1.4 * rng.normal(size=(len(labels), NUM_CLASSES))
    logits[np.arange(len(labels)), labels] += skill
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exp / exp.sum(axis=1, keepdims=True)
    return probabilities


def npz(**arrays: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def build_model(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    name: str = "compact_cnn",
    skill: float = 2.0,
    seed: int = 1,
    parameters: int = 1_600_000,
    probabilities: dict[str, Floats] | None = None,
    identity: str = "",
) -> ModelRef:
    """An untrained network with plausible probabilities, curve and lineage."""
    opened = open_snapshot(store, snapshot)
    probabilities = probabilities or {
        split: draw_probabilities(_labels(opened, split), skill, seed + number)
        for number, split in enumerate(("validation", "test"))
    }
    validation = probabilities.get("validation", np.zeros((0, NUM_CLASSES)))
    labels = _labels(opened, "validation")
    fits = len(labels) == len(validation) > 0
    accuracy = float((validation.argmax(axis=1) == labels).mean()) if fits else 0.0
    digest = hashlib.sha256(f"{name} {skill} {seed} {identity} {snapshot.id}".encode())
    model_id = f"{name}-{digest.hexdigest()[:12]}"
    lineage = {
        "dataset_sha": snapshot.id,
        "seed": seed,
        "code": {"revision": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "ferflow": "0.1.0",
        "source_sha": "0123456789abcdef",
        "packages": {"torch": "2.15.0", "numpy": "2.4.6", "wandb": None},
        "python": "3.11.2",
        "platform": "Linux-6.1-x86_64",
    }
    return store.put(
        ModelRef,
        model_id,
        {
            "config.json": json.dumps({"name": name}).encode(),
            "preprocessing.json": json.dumps(PREPROCESSING).encode(),
            "probabilities.npz": npz(**{k: v.astype(np.float32) for k, v in probabilities.items()}),
            "curve.csv": _curve(accuracy, seed).to_csv(index=False).encode(),
            "lineage.json": json.dumps(lineage).encode(),
        },
        {
            "name": name,
            "kind": "network",
            "snapshot_id": snapshot.id,
            "seed": seed,
            "parameters": parameters,
            "validation_accuracy": accuracy,
            "train_seconds": 12.5,
        },
        name=name,
        kind="network",
    )


def build_validation(store: ArtifactStore, snapshot: SnapshotRef, failed: int = 0) -> ValidationRef:
    """A result of the data gate with one warning and `failed` errors."""

    def result(
        check: str, topic: str, severity: str, passed: bool, observed: str
    ) -> dict[str, Any]:
        return {
            "check": check,
            "topic": topic,
            "severity": severity,
            "passed": passed,
            "expected": "as the format says",
            "observed": observed,
            "examples": [] if passed else ["hand-0-00001"],
            "num_unexpected": 0 if passed else 1,
        }

    results = [
        result("manifest columns", "schema", "error", True, "20 columns"),
        result("labels are 0..6 or -1", "schema", "error", True, "all"),
        result("largest class over smallest", "balance", "warning", False, "21.3"),
        *[result(f"check {i}", "images", "error", False, "3 of 280") for i in range(failed)],
    ]
    return store.put(
        ValidationRef,
        f"{snapshot.id[:23]}{failed % 10}",
        {"results.json": json.dumps(results).encode(), "report.html": b"<html></html>"},
        {"snapshot_id": snapshot.id, "passed": not failed, "num_errors": failed, "num_warnings": 1},
        passed=not failed,
        num_errors=failed,
        num_warnings=1,
    )


def build_tuning(store: ArtifactStore, member: str = "compact_cnn", trials: int = 6) -> TuningRef:
    """A search over two settings."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "trial": i,
            "setting": {
                "training.learning_rate": float(10 ** rng.uniform(-3.3, -2)),
                "training.label_smoothing": float(rng.choice([0.0, 0.05, 0.1])),
            },
            "epochs": 1 if i % 3 == 0 else 3,
            "validation_accuracy": float(rng.uniform(0.3, 0.6)),
            "validation_loss": float(rng.uniform(1.1, 1.7)),
            "stopped_early": i % 3 == 0,
            "curve": rng.uniform(0.1, 0.3, 1 if i % 3 == 0 else 3).tolist(),
            "schedule": [],
        }
        for i in range(trials)
    ]
    best = max(rows, key=lambda row: row["validation_accuracy"])
    return store.put(
        TuningRef,
        f"{member}-{trials}".ljust(24, "0"),
        {
            "trials.json": json.dumps(rows).encode(),
            "best.json": json.dumps(best["setting"]).encode(),
        },
        {
            "member": member,
            "num_trials": trials,
            "num_failed": 0,
            "best_trial": best["trial"],
            "best_accuracy": best["validation_accuracy"],
        },
    )


def _truth(manifest: pd.DataFrame, originals: npt.NDArray[np.int64]) -> pd.DataFrame:
    """All quarantined images are planted defects, except the near duplicates."""
    planted = manifest["reason"].where(manifest["reason"] != "near_duplicate", "")
    ids = manifest["image_id"]
    original_ids = pd.Series("", index=manifest.index)
    original_ids[manifest["reason"] == "leak"] = ids.iloc[originals].to_numpy()
    return pd.DataFrame(
        {
            "image_id": ids,
            "true_label": manifest["label"],
            "defect": planted,
            "original_id": original_ids,
        }
    )


def _labels(snapshot: DatasetSnapshot, split: str) -> npt.NDArray[np.int64]:
    return snapshot.labels(snapshot.positions(split))


def _curve(accuracy: float, seed: int) -> pd.DataFrame:
    epochs = np.arange(1, 9)
    rise = 1 - np.exp(-epochs / 2.5)
    noise = np.random.default_rng(seed).normal(0, 0.01, len(epochs))
    return pd.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 1.95 - (0.8 + accuracy / 2) * rise,
            "train_accuracy": 0.14 + (0.4 + accuracy / 2) * rise,
            "validation_loss": 1.95 - 0.9 * rise + noise,
            "validation_accuracy": accuracy * (0.3 + 0.7 * rise) + noise,
            "learning_rate": 0.003 * np.sin(np.pi * epochs / 9),
            "images_per_s": 560.0,
        }
    )
