"""Speed-up by several workers: images/s of one process and of Ray Train's workers, in one run.

    python -m tests.benchmarks.bench_ray_train

Trains one network four times on the same synthetic faces, in batches of 128: one process with one
thread (first and last, to detect drift of the machine), one process with two threads, and two
workers with one thread each. The fastest epoch of each counts, which excludes the start-up.
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
from fer_models.training.distributed.events import EventHandler
from fer_models.training.distributed.train import train_on_workers
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import SplitImages, TrainingData
from tests.benchmarks.bench_train import faces

_EPOCHS = 4


@dataclass(frozen=True)
class WorkerBench:
    """Images/s in training; ratios are relative to one process with one thread."""

    one_thread: float
    two_threads: float
    two_workers: float
    drift: float
    """Speed of one thread at the end relative to the start: the uncertainty of the other ratios."""

    @property
    def threads_ratio(self) -> float:
        """Speed-up by a second thread."""
        return self.two_threads / self.one_thread

    @property
    def workers_ratio(self) -> float:
        """Speed-up by a second worker."""
        return self.two_workers / self.one_thread


def bench_workers(folder: Path, network: str = "face_cnn") -> WorkerBench:
    """Run the four trainings one after the other, with files in `folder`."""
    split = faces(folder / "faces")
    data = TrainingData(split, SplitImages(split.images[:64], split.labels[:64]))

    def rate(*, threads: int, workers: int = 1) -> float:
        member = _member(network, threads, workers)
        rates: list[float] = []
        handler = EventHandler(
            lambda result: rates.append(result.images_per_s), lambda _: None, lambda _: None
        )
        if workers == 1:
            fit(data, member, 0, handler.on_epoch)
        else:
            store = ArtifactStore(StoreConfig(url=str(folder / "store")))
            train_on_workers(store, data, member, 0, CheckpointDir(folder / "work"), handler)
        return max(rates)

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
    """Print the results."""
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_workers(Path(folder))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch "
        f"{torch.__version__}: face_cnn, one process with one thread {bench.one_thread:,.0f} "
        f"images/s; two threads {bench.threads_ratio:.2f} times that, two workers with one thread "
        f"each {bench.workers_ratio:.2f} times; drift of one thread, end relative to start "
        f"{bench.drift:.2f}"
    )


if __name__ == "__main__":
    main()
