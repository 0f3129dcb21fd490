"""What several workers bring: images/s of one process and of Ray Train's workers, in one run.

    python -m tests.benchmarks.bench_ray_train

Four trainings of one network on the same made-up faces, batches of 128: one process with one thread
(twice, first and last: the machine may have changed), one process with two threads, two workers
with one thread each. The best epoch of each counts, so that starting up does not.
"""

import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir
from fer_models.training.config import AugmentConfig, MemberConfig, TrainingConfig
from fer_models.training.distributed.channel import Listener
from fer_models.training.distributed.train import train_on_workers
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import SplitImages, TrainingData
from tests.benchmarks.bench_train import faces

_EPOCHS = 4


@dataclass(frozen=True)
class WorkerBench:
    """Images/s in training; ratios are against one process with one thread."""

    one_thread: float
    two_threads: float
    two_workers: float
    drift: float
    """One thread at the end against one thread at the start: how far to trust the others."""

    @property
    def threads_ratio(self) -> float:
        """What a second thread brings."""
        return self.two_threads / self.one_thread

    @property
    def workers_ratio(self) -> float:
        """What a second worker brings."""
        return self.two_workers / self.one_thread


def bench_workers(folder: Path, network: str = "face_cnn") -> WorkerBench:
    """Train four times in turn, files in `folder`."""
    split = faces(folder / "faces")
    data = TrainingData(split, SplitImages(split.images[:64], split.labels[:64]))

    def rate(*, threads: int, workers: int = 1) -> float:
        member = _member(network, threads, workers)
        told: list[float] = []
        listener = Listener(
            lambda result: told.append(result.images_per_s), lambda _: None, lambda _: None
        )
        if workers == 1:
            fit(data, member, 0, listener.on_epoch)
        else:
            store = ArtifactStore(StoreConfig(url=str(folder / "store")))
            train_on_workers(store, data, member, 0, CheckpointDir(folder / "work"), listener)
        return max(told)

    before = rate(threads=1)
    two_threads = rate(threads=2)
    two_workers = rate(threads=1, workers=2)
    after = rate(threads=1)
    one_thread = (before + after) / 2
    return WorkerBench(one_thread, two_threads, two_workers, after / before)


def _member(network: str, threads: int, workers: int) -> MemberConfig:
    return MemberConfig(
        name=f"bench-{workers}",
        network=NetworkConfig(name=network),
        training=TrainingConfig(
            epochs=_EPOCHS,
            batch_size=128,
            threads=threads,
            workers=workers,
            augment=AugmentConfig(erase=0.5),
        ),
    )


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_workers(Path(folder))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch "
        f"{torch.__version__}: face_cnn, one process with one thread {bench.one_thread:,.0f} "
        f"images/s; with two threads {bench.threads_ratio:.2f} times as many, two workers with one "
        f"thread each {bench.workers_ratio:.2f} times; one thread at the end against the start "
        f"{bench.drift:.2f}"
    )


if __name__ == "__main__":
    main()
