"""Out-of-fold probabilities: every image judged by a network that never learned from it.

N images, K classes.
"""

import contextvars
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

from fer_models.dataset.snapshot import Images
from fer_models.errors import TrainingError
from fer_models.labels import NUM_CLASSES
from fer_models.processes import num_cores
from fer_models.progress import report
from fer_models.quality import fold_worker
from fer_models.quality.config import ScoringConfig
from fer_models.quality.folds import Integers
from fer_models.quality.quick_model import Probabilities

_MAX_ON_A_GPU = 4
_SHOWN_ERROR_LINES = 3


def out_of_fold_probabilities(
    images: Images,
    labels: Integers,
    folds: Integers,
    config: ScoringConfig,
    seed: int,
    folder: Path,
    workers: int | None = None,
) -> Probabilities:
    """Train a quick model for each fold, several at a time, and let it judge its fold.

    Args:
        images: uint8 N x 48 x 48.
        labels: N class numbers; read only where the fold is not -1.
        folds: R repeats x N fold numbers; -1 for an image that no network learns from (held out,
            unlabelled): it gets the mean of all networks.
        config: number of folds, network and training.
        seed: of the trainings.
        folder: keeps the outcome of finished folds, so that a run that died goes on from there.
        workers: processes at a time; by default one a core. The numbers do not hang on it.

    Returns:
        Probabilities N x K, rows sum to 1.

    Raises:
        TrainingError: a training failed.
    """
    np.save(folder / fold_worker.IMAGES_FILE, images)
    np.save(folder / fold_worker.LABELS_FILE, labels)
    np.save(folder / fold_worker.FOLDS_FILE, folds)
    (folder / fold_worker.CONFIG_FILE).write_text(config.model_dump_json())
    jobs = range(config.folds * config.repeats)
    open_jobs = [job for job in jobs if not fold_worker.outcome_file(folder, job).exists()]
    crew = WorkerPool(folder, seed, config, open_jobs)
    num_workers = min(workers or _default_workers(), len(open_jobs))
    if num_workers:
        # Progress listeners hang on the context, which threads don't inherit.
        contexts = [contextvars.copy_context() for _ in range(num_workers)]
        with ThreadPoolExecutor(num_workers) as pool, crew.ended_on_error():
            list(
                pool.map(lambda number: contexts[number].run(crew.work, number), range(num_workers))
            )
    return _joined(folds, config.folds, folder)


def _joined(folds: Integers, num_folds: int, folder: Path) -> Probabilities:
    num_repeats, num_images = folds.shape
    total = np.zeros((num_images, NUM_CLASSES))
    times = np.zeros((num_images, 1))
    for job in range(num_repeats * num_folds):
        rows = fold_worker.predicted_rows(folds, job, num_folds)
        total[rows] += np.load(fold_worker.outcome_file(folder, job))
        times[rows] += 1
    total /= times
    total /= total.sum(axis=1, keepdims=True)
    return total


def _default_workers() -> int:
    import torch

    return _MAX_ON_A_GPU if torch.cuda.is_available() else num_cores()


class WorkerPool:
    """The processes at work, and how far they are together."""

    def __init__(
        self, folder: Path, seed: int, config: ScoringConfig, open_jobs: Sequence[int]
    ) -> None:
        self._folder, self._seed, self._config = folder, seed, config
        self._num_jobs = config.folds * config.repeats
        self._open = list(open_jobs)
        done = set(range(self._num_jobs)) - set(open_jobs)
        self._epochs = dict.fromkeys(done, config.training.epochs)
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []

    @contextmanager
    def ended_on_error(self) -> Iterator[None]:
        """End all processes when one fails or the user interrupts."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._open.clear()
                for process in self._running:
                    process.kill()
            raise

    def work(self, number: int) -> None:
        """Keep one process busy until no job is open."""
        errors = self._folder / f"errors-{number}.txt"
        with errors.open("w") as stream, self._started(stream) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self._order(process)
            for line in process.stdout:
                job, epoch = (int(word) for word in line.split())
                if epoch == fold_worker.DONE:
                    self._order(process)
                else:
                    self._note(job, epoch)
        if process.returncode:
            self._fail(process.returncode, errors.read_text(errors="replace"))

    def _order(self, process: "subprocess.Popen[str]") -> None:
        """Give the process the next job, or let it go."""
        assert process.stdin is not None
        with self._lock:
            job = self._open.pop(0) if self._open else None
        try:
            if job is not None:
                process.stdin.write(f"{job}\n")
                process.stdin.flush()
            else:
                process.stdin.close()
        except BrokenPipeError:  # it is gone; its exit code tells why
            pass

    @contextmanager
    def _started(self, errors: IO[str]) -> "Iterator[subprocess.Popen[str]]":
        command = [sys.executable, "-m", "fer_models.quality.fold_worker"]
        process = subprocess.Popen(  # noqa: S603
            [*command, str(self._folder), str(self._seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(),
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

    def _note(self, job: int, epoch: int) -> None:
        with self._lock:
            self._epochs[job] = epoch
            total = self._num_jobs * self._config.training.epochs
            report("score", sum(self._epochs.values()), total, "epochs", "judging labels")

    def _fail(self, code: int, errors: str) -> None:
        lines = [line for line in errors.splitlines() if line.strip()]
        raise TrainingError(
            f"label scores: a quick model could not be trained (exit {code}); mend what is told "
            "here, or set scoring.enabled=false to go on without label scores",
            lines[-_SHOWN_ERROR_LINES:],
        )


def _environment() -> dict[str, str]:
    """That of this process, with one thread a worker, and this very library to import."""
    library = str(Path(__file__).parents[2])
    others = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([library, *filter(None, [others])]),
    }
