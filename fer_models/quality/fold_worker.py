"""Worker process for quick models: `python -m fer_models.quality.fold_worker DIR SEED`.

It reads job numbers from standard input, one a line, and prints `<job> <finished epochs>`. Each
process computes with one thread, so results do not depend on the number of workers, and two
single-threaded trainings use two cores better than one training with two threads. The worker exits
when its standard input closes, hence also when its parent dies.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fer_models.quality.config import ScoringConfig

CONFIG_FILE = "config.json"
CLASSES_FILE = "classes.json"
IMAGES_FILE = "images.npy"
LABELS_FILE = "labels.npy"
DONE = -1
"""Printed instead of an epoch once the output of a job is written."""
FOLDS_FILE = "folds.npy"
"""Fold of each image in each repeat; -1 for images that no network is trained on."""


def probabilities_file(folder: Path, job: int) -> Path:
    """Output file of a job (one fold of one repeat)."""
    return folder / f"probabilities-{job}.npy"


def predicted_rows(folds: np.ndarray, job: int, num_folds: int) -> np.ndarray:
    """Rows that a job's network predicts: its own fold, and the images of no fold.

    Args:
        folds: R repeats x N images.
        job: 0..R * num_folds - 1.
        num_folds: folds of each repeat.
    """
    repeat, fold = divmod(job, num_folds)
    return np.flatnonzero((folds[repeat] == fold) | (folds[repeat] < 0))


def main(folder: Path, seed: int, jobs: "queue.SimpleQueue[int]") -> None:
    """Run jobs as they arrive: train on the other folds, predict the own fold, save the result."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    while True:
        _run_job(folder, jobs.get(), seed)


def _run_job(folder: Path, job: int, seed: int) -> None:
    config = ScoringConfig.model_validate_json((folder / CONFIG_FILE).read_text())
    images = np.load(folder / IMAGES_FILE, mmap_mode="r")
    labels, folds = np.load(folder / LABELS_FILE), np.load(folder / FOLDS_FILE)
    class_names = json.loads((folder / CLASSES_FILE).read_text())
    probabilities = job_probabilities(
        images, labels, folds, config, seed, job, lambda epoch: _report(job, epoch), class_names
    )
    save_probabilities(folder, job, probabilities)
    _report(job, DONE)


def job_probabilities(
    images: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    config: ScoringConfig,
    seed: int,
    job: int,
    on_epoch: Callable[[int], None],
    class_names: Sequence[str],
) -> np.ndarray:
    """Train a job's network on the other folds; probabilities M x K of its `predicted_rows`."""
    from fer_models.quality.quick_model import predict_fold
    from fer_models.training.inputs.batches import derived_seed

    repeat, fold = divmod(job, config.folds)
    train_rows = np.flatnonzero((folds[repeat] >= 0) & (folds[repeat] != fold))
    return predict_fold(
        np.asarray(images[train_rows]),
        labels[train_rows],
        np.asarray(images[predicted_rows(folds, job, config.folds)]),
        config,
        derived_seed(seed, job),
        on_epoch,
        class_names,
    )


def save_probabilities(folder: Path, job: int, probabilities: np.ndarray) -> None:
    """Write the output file of a job atomically."""
    target = probabilities_file(folder, job)
    partial = target.with_suffix(".part.npy")
    np.save(partial, probabilities)
    partial.replace(target)


def _report(job: int, epoch: int) -> None:
    print(job, epoch, flush=True)  # noqa: T201 - the parent reads it


def _read_jobs(jobs: "queue.SimpleQueue[int]") -> None:
    # Not sys.stdin: this thread would hold its lock for ever, which blocks interpreter shutdown.
    with os.fdopen(os.dup(0), "rb", buffering=0) as lines:
        for line in iter(lines.readline, b""):
            jobs.put(int(line))
    os._exit(0)


if __name__ == "__main__":
    incoming: "queue.SimpleQueue[int]" = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(incoming,), daemon=True).start()
    main(Path(sys.argv[1]), int(sys.argv[2]), incoming)
