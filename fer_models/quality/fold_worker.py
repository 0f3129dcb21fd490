"""Trains quick models in a process of its own: `python -m fer_models.quality.fold_worker DIR SEED`.

Job numbers come line by line on standard input, `<job> <finished epochs>` goes out. Each process
computes with one thread, so the numbers do not hang on how many run at once, and two of them use
two cores better than one training with two threads. It ends when its input does: with its parent.
"""

import os
import queue
import sys
import threading
from pathlib import Path

import numpy as np

from fer_models.quality.config import ScoringConfig

CONFIG_FILE = "config.json"
IMAGES_FILE = "images.npy"
LABELS_FILE = "labels.npy"
DONE = -1
"""Told instead of an epoch when the outcome of a job is written."""
FOLDS_FILE = "folds.npy"
"""Fold of each image in each repeat; -1 for one that no network learns from."""


def outcome_file(folder: Path, job: int) -> Path:
    """Where the probabilities of a job (a fold of a repeat) are put when it is done."""
    return folder / f"probabilities-{job}.npy"


def predicted_rows(folds: np.ndarray, job: int, num_folds: int) -> np.ndarray:
    """The rows that a job's network judges: its own fold, and those that none learns from.

    Args:
        folds: R repeats x N images.
        job: 0..R * num_folds - 1.
        num_folds: folds of each repeat.
    """
    repeat, fold = divmod(job, num_folds)
    return np.flatnonzero((folds[repeat] == fold) | (folds[repeat] < 0))


def main(folder: Path, seed: int, jobs: "queue.SimpleQueue[int]") -> None:
    """Do the jobs that come: train on the other folds, judge the own one, write what it says."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    while True:
        _do(folder, jobs.get(), seed)


def _do(folder: Path, job: int, seed: int) -> None:
    from fer_models.quality.quick_model import predict_fold
    from fer_models.training.inputs.batches import derived_seed

    config = ScoringConfig.model_validate_json((folder / CONFIG_FILE).read_text())
    images = np.load(folder / IMAGES_FILE, mmap_mode="r")
    labels, folds = np.load(folder / LABELS_FILE), np.load(folder / FOLDS_FILE)
    repeat, fold = divmod(job, config.folds)
    learned = np.flatnonzero((folds[repeat] >= 0) & (folds[repeat] != fold))
    probabilities = predict_fold(
        np.asarray(images[learned]),
        labels[learned],
        np.asarray(images[predicted_rows(folds, job, config.folds)]),
        config,
        derived_seed(seed, job),
        lambda epoch: _tell(job, epoch),
    )
    target = outcome_file(folder, job)
    partial = target.with_suffix(".part.npy")
    np.save(partial, probabilities)
    partial.replace(target)
    _tell(job, DONE)


def _tell(job: int, epoch: int) -> None:
    print(job, epoch, flush=True)  # noqa: T201 - the parent reads it


def _listen(jobs: "queue.SimpleQueue[int]") -> None:
    # Not sys.stdin: its lock, held here for ever, would be missed when the interpreter ends.
    with os.fdopen(os.dup(0), "rb", buffering=0) as orders:
        for line in iter(orders.readline, b""):
            jobs.put(int(line))
    os._exit(0)


if __name__ == "__main__":
    incoming: "queue.SimpleQueue[int]" = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming,), daemon=True).start()
    main(Path(sys.argv[1]), int(sys.argv[2]), incoming)
