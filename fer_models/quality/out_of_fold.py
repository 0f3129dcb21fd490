"""Out-of-fold probabilities: every image is predicted by networks not trained on it.

N images, K classes.
"""

import contextvars
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from fer_models.cluster_address import uses_cluster
from fer_models.dataset.folds import Integers
from fer_models.dataset.snapshot import Images
from fer_models.errors import TrainingError
from fer_models.processes import num_cores
from fer_models.progress import report
from fer_models.quality import fold_worker
from fer_models.quality.config import ScoringConfig
from fer_models.quality.quick_model import Probabilities

_MAX_WORKERS_PER_GPU = 4
_SHOWN_ERROR_LINES = 3


def out_of_fold_probabilities(
    images: Images,
    labels: Integers,
    folds: Integers,
    config: ScoringConfig,
    seed: int,
    folder: Path,
    class_names: Sequence[str],
    workers: int | None = None,
) -> Probabilities:
    """Train one quick model per fold, several in parallel, and predict each fold.

    On a Ray cluster the folds are trained on its nodes, as many at a time as there is room for.

    Args:
        images: uint8 N x 48 x 48.
        labels: N class numbers; used only where the fold is not -1.
        folds: R repeats x N fold numbers; -1 for images that no network is trained on (held out,
            unlabelled, quarantined): these get the mean over all networks.
        config: number of folds, network and training.
        seed: of the trainings.
        folder: keeps the output of finished folds, so that an interrupted run can resume.
        class_names: the K classes.
        workers: number of processes; by default one per core. Results do not depend on it.

    Returns:
        Probabilities N x K, rows sum to 1.

    Raises:
        TrainingError: a training failed.
    """
    jobs = range(config.folds * config.repeats)
    open_jobs = [job for job in jobs if not fold_worker.probabilities_file(folder, job).exists()]
    if uses_cluster():
        from fer_models.quality.folds_on_nodes import train_folds_on_nodes

        train_folds_on_nodes(images, labels, folds, config, seed, folder, open_jobs, class_names)
    else:
        (folder / fold_worker.CLASSES_FILE).write_text(json.dumps([*class_names]))
        _train_folds_here(images, labels, folds, config, seed, folder, open_jobs, workers)
    return _mean_probabilities(folds, config.folds, folder, len(class_names))


def _train_folds_here(
    images: Images,
    labels: Integers,
    folds: Integers,
    config: ScoringConfig,
    seed: int,
    folder: Path,
    open_jobs: Sequence[int],
    workers: int | None,
) -> None:
    """Train the folds in processes of this machine; their outputs are written to `folder`."""
    np.save(folder / fold_worker.IMAGES_FILE, images)
    np.save(folder / fold_worker.LABELS_FILE, labels)
    np.save(folder / fold_worker.FOLDS_FILE, folds)
    (folder / fold_worker.CONFIG_FILE).write_text(config.model_dump_json())
    pool = WorkerPool(folder, seed, config, open_jobs)
    num_workers = min(workers or _default_workers(), len(open_jobs))
    if num_workers:
        # Progress listeners are context variables, which threads do not inherit.
        contexts = [contextvars.copy_context() for _ in range(num_workers)]
        with ThreadPoolExecutor(num_workers) as threads, pool.terminated_on_error():
            runs = [
                threads.submit(context.run, pool.run_worker, number)
                for number, context in enumerate(contexts)
            ]
            for run in runs:
                run.result()


def _mean_probabilities(
    folds: Integers, num_folds: int, folder: Path, num_classes: int
) -> Probabilities:
    num_repeats, num_images = folds.shape
    total = np.zeros((num_images, num_classes))
    count = np.zeros((num_images, 1))
    for job in range(num_repeats * num_folds):
        rows = fold_worker.predicted_rows(folds, job, num_folds)
        total[rows] += np.load(fold_worker.probabilities_file(folder, job))
        count[rows] += 1
    total /= count
    total /= total.sum(axis=1, keepdims=True)
    return total


def _default_workers() -> int:
    import torch

    return _MAX_WORKERS_PER_GPU if torch.cuda.is_available() else num_cores()


class WorkerPool:
    """The worker processes of one scoring run and their common progress."""

    def __init__(
        self, folder: Path, seed: int, config: ScoringConfig, open_jobs: Sequence[int]
    ) -> None:
        self._folder, self._seed, self._config = folder, seed, config
        self._num_jobs = config.folds * config.repeats
        self._open_jobs = list(open_jobs)
        finished = set(range(self._num_jobs)) - set(open_jobs)
        self._epochs = dict.fromkeys(finished, config.training.epochs)
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []

    @contextmanager
    def terminated_on_error(self) -> Iterator[None]:
        """Kill all workers when one fails or the user interrupts."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._open_jobs.clear()
                for process in self._running:
                    process.kill()
            raise

    def run_worker(self, number: int) -> None:
        """Start one worker process and feed it jobs until none is left."""
        errors = self._folder / f"errors-{number}.txt"
        with errors.open("w") as stream, self._started_process(stream) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self._send_next_job(process)
            for line in process.stdout:
                job, epoch = (int(number) for number in line.split())
                if epoch == fold_worker.DONE:
                    self._send_next_job(process)
                else:
                    self._report(job, epoch)
        if process.returncode:
            self._fail(process.returncode, errors.read_text(errors="replace"))

    def _send_next_job(self, process: "subprocess.Popen[str]") -> None:
        """Send the worker its next job, or close its input so that it exits."""
        assert process.stdin is not None
        with self._lock:
            job = self._open_jobs.pop(0) if self._open_jobs else None
        try:
            if job is not None:
                process.stdin.write(f"{job}\n")
                process.stdin.flush()
            else:
                process.stdin.close()
        except BrokenPipeError:  # the worker died; its exit code is checked afterwards
            pass

    @contextmanager
    def _started_process(self, errors: IO[str]) -> "Iterator[subprocess.Popen[str]]":
        command = [sys.executable, "-m", "fer_models.quality.fold_worker"]
        process = subprocess.Popen(  # noqa: S603
            [*command, str(self._folder), str(self._seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_worker_environment(),
        )
        with self._lock:
            self._running.append(process)
        try:
            with process:
                yield process
        finally:
            process.kill()
            with self._lock:
                self._running.remove(process)

    def _report(self, job: int, epoch: int) -> None:
        with self._lock:
            self._epochs[job] = epoch
            total = self._num_jobs * self._config.training.epochs
            report("score", sum(self._epochs.values()), total, "epochs", "training quick models")

    def _fail(self, code: int, errors: str) -> None:
        lines = [line for line in errors.splitlines() if line.strip()]
        raise TrainingError(
            f"label scores: training a quick model failed (exit code {code}); fix the error below, "
            "or set scoring.enabled=false to continue without label scores",
            lines[-_SHOWN_ERROR_LINES:],
        )


def _worker_environment() -> dict[str, str]:
    """This process's environment, with one thread per worker and this library on the path."""
    library = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([library, *filter(None, [inherited])]),
    }
