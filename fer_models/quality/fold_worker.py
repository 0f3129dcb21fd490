"""One fold in a process of its own: `python -m fer_models.quality.fold_worker FOLDER FOLD`.

Each process computes with one thread, so the numbers do not hang on how many run at once, and two
of them use two cores better than one training with two threads. It ends when its parent does.
"""

import os
import sys
import threading
from pathlib import Path

import numpy as np

from fer_models.quality.config import ScoringConfig

CONFIG_FILE = "config.json"
IMAGES_FILE = "images.npy"
LABELS_FILE = "labels.npy"
FOLDS_FILE = "folds.npy"
"""Fold of each image; -1 for one that no network learns from."""


def outcome_file(folder: Path, fold: int) -> Path:
    """Where the probabilities of a fold are put when it is done."""
    return folder / f"probabilities-{fold}.npy"


def judged_rows(folds: np.ndarray, fold: int) -> np.ndarray:
    """The rows that a fold's network judges: its own, and those that none learns from."""
    return np.flatnonzero((folds == fold) | (folds < 0))


def main(folder: Path, fold: int, seed: int) -> None:
    """Train on the other folds, judge this one, and write its probabilities."""
    import torch

    from fer_models.quality.quick_model import judge_images

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    config = ScoringConfig.model_validate_json((folder / CONFIG_FILE).read_text())
    images = np.load(folder / IMAGES_FILE, mmap_mode="r")
    labels, folds = np.load(folder / LABELS_FILE), np.load(folder / FOLDS_FILE)
    learned = np.flatnonzero((folds >= 0) & (folds != fold))
    probabilities = judge_images(
        np.asarray(images[learned]),
        labels[learned],
        np.asarray(images[judged_rows(folds, fold)]),
        config,
        seed + fold,
        lambda epoch: print(epoch, flush=True),  # noqa: T201 - the parent reads it
    )
    target = outcome_file(folder, fold)
    partial = target.with_suffix(".part.npy")
    np.save(partial, probabilities)
    partial.replace(target)


def _end_with_parent() -> None:
    """The parent holds our standard input open; it closes when the parent is gone."""
    # Not sys.stdin: its lock, held here for ever, would be missed when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
