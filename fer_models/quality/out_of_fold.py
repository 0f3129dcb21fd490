"""Out-of-fold probabilities: every image judged by a network that never learned from it.

N images, K classes.
"""

import contextvars
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_models.data.snapshot import Images
from fer_models.errors import TrainingError
from fer_models.labels import NUM_CLASSES
from fer_models.progress import report
from fer_models.quality import fold_worker
from fer_models.quality.config import ScoringConfig
from fer_models.quality.folds import Integers
from fer_models.quality.quick_model import Probabilities
from fer_models.training.runtime import num_cores

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
        folds: N fold numbers; -1 for an image that no network learns from (held out, unlabelled):
            it gets the mean of all networks.
        config: number of folds, network and training.
        seed: of the trainings.
        folder: keeps the outcome of finished folds, so that a run that died goes on from there.
        workers: processes at a time; by default one a core. The numbers do not hang on it.

    Returns:
        Probabilities N x K, rows sum to 1.

    Raises:
        TrainingError: a fold's process failed.
    """
    np.save(folder / fold_worker.IMAGES_FILE, images)
    np.save(folder / fold_worker.LABELS_FILE, labels)
    np.save(folder / fold_worker.FOLDS_FILE, folds)
    (folder / fold_worker.CONFIG_FILE).write_text(config.model_dump_json())
    crew = _Crew(folder, seed, config)
    with ThreadPoolExecutor(workers or _default_workers()) as pool, crew.ended_on_error():
        # Progress listeners hang on the context, which threads don't inherit.
        contexts = [contextvars.copy_context() for _ in range(config.folds)]
        list(pool.map(lambda fold: contexts[fold].run(crew.run_fold, fold), range(config.folds)))
    return _joined(folds, config.folds, folder)


def _joined(folds: Integers, num_folds: int, folder: Path) -> Probabilities:
    total = np.zeros((len(folds), NUM_CLASSES))
    times = np.zeros((len(folds), 1))
    for fold in range(num_folds):
        rows = fold_worker.judged_rows(folds, fold)
        total[rows] += np.load(fold_worker.outcome_file(folder, fold))
        times[rows] += 1
    total /= times
    total /= total.sum(axis=1, keepdims=True)
    return total


def _default_workers() -> int:
    import torch

    return _MAX_ON_A_GPU if torch.cuda.is_available() else num_cores()


@dataclass
class _Crew:
    """The processes at work, and how far they are together."""

    folder: Path
    seed: int
    config: ScoringConfig
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: list[subprocess.Popen[str]] = field(default_factory=list)
    _epochs: dict[int, int] = field(default_factory=dict)
    _failed: bool = False

    @contextmanager
    def ended_on_error(self) -> Iterator[None]:
        """End all processes when one fails or the user interrupts."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._failed = True
                for process in self._running:
                    process.kill()
            raise

    def run_fold(self, fold: int) -> None:
        if fold_worker.outcome_file(self.folder, fold).exists():
            self._note(fold, self.config.training.epochs)
            return
        errors = self.folder / f"errors-{fold}.txt"
        with errors.open("w") as error_stream, self._started(fold, error_stream) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip().isdecimal():
                    self._note(fold, int(line))
        if process.returncode:
            self._fail(fold, process.returncode, errors.read_text(errors="replace"))

    @contextmanager
    def _started(self, fold: int, errors: object) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._failed:
                raise TrainingError("label scores were given up: another fold failed")
            process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-m", "fer_models.quality.fold_worker"),
                    *(str(self.folder), str(fold), str(self.seed)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,  # type: ignore[call-overload]
                text=True,
                env=_environment(),
            )
            self._running.append(process)
        try:
            with process:
                yield process
        finally:
            process.kill()
            with self._lock:
                self._running.remove(process)

    def _note(self, fold: int, epochs: int) -> None:
        with self._lock:
            self._epochs[fold] = epochs
            total = self.config.folds * self.config.training.epochs
            report("score", sum(self._epochs.values()), total, "epochs", "judging labels")

    def _fail(self, fold: int, code: int, errors: str) -> None:
        lines = [line for line in errors.splitlines() if line.strip()]
        raise TrainingError(
            f"label scores: the quick model of fold {fold} failed (exit {code}); "
            "set scoring.enabled=false to go on without label scores",
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
