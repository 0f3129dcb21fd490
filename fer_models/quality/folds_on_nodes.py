"""Train the folds of the label scores on the nodes of the Ray cluster."""

import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.dataset.folds import Integers
from fer_models.dataset.snapshot import Images
from fer_models.progress import report
from fer_models.quality.config import ScoringConfig
from fer_models.quality.fold_worker import job_probabilities, save_probabilities
from fer_models.remote.call import Place, call_on_node, cancelled_on_error, shared_on_nodes
from fer_models.remote.worker import send_event

_GPU_SHARE = 0.25


def train_folds_on_nodes(
    images: Images,
    labels: Integers,
    folds: Integers,
    config: ScoringConfig,
    seed: int,
    folder: Path,
    open_jobs: Sequence[int],
    class_names: Sequence[str],
) -> None:
    """Train the open jobs, as many at a time as the cluster has room for; see `fold_worker`.

    The nodes share one copy of the images each. The outputs are written to `folder` as they arrive,
    so that an interrupted run resumes. Each job computes with one thread, as in a local process.
    """
    if not open_jobs:
        return
    progress = _Progress(config, open_jobs)
    with shared_on_nodes(np.asarray(images)) as shared:

        def run(job: int) -> None:
            place = Place(
                who=f"label scores, fold {job + 1} of {config.folds * config.repeats}",
                setting="scoring.placement",
                placement=config.placement,
                gpu_share=_GPU_SHARE,
                fresh=False,
            )
            probabilities = call_on_node(
                place,
                _run_job,
                *(shared, labels, folds, config, seed, job, class_names),
                on_event=lambda epoch: progress.update(job, epoch),
            )
            save_probabilities(folder, job, probabilities)

        # Progress listeners are context variables, which threads do not inherit.
        with ThreadPoolExecutor(len(open_jobs)) as threads, cancelled_on_error():
            runs = [threads.submit(contextvars.copy_context().run, run, job) for job in open_jobs]
            for done in as_completed(runs):
                done.result()


def _run_job(
    images: Images,
    labels: Integers,
    folds: Integers,
    config: ScoringConfig,
    seed: int,
    job: int,
    class_names: Sequence[str],
) -> np.ndarray[Any, Any]:
    """Train one job on a node."""
    from fer_models.training.runtime import training_runtime

    with training_runtime(seed, threads=1):
        return job_probabilities(images, labels, folds, config, seed, job, send_event, class_names)


class _Progress:
    """The common progress of all jobs."""

    def __init__(self, config: ScoringConfig, open_jobs: Sequence[int]) -> None:
        num_jobs, epochs = config.folds * config.repeats, config.training.epochs
        self._total = num_jobs * epochs
        self._epochs = dict.fromkeys(set(range(num_jobs)) - set(open_jobs), epochs)
        self._lock = threading.Lock()

    def update(self, job: int, epoch: int) -> None:
        """Report that a job has finished an epoch."""
        with self._lock:
            self._epochs[job] = epoch
            done = sum(self._epochs.values())
            report("score", done, self._total, "epochs", "training quick models")
