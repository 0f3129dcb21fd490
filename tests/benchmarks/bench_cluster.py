"""Speed-up by a second node: seconds for the same members on one and on two Ray nodes, in one run.

    python -m tests.benchmarks.bench_cluster

Starts nodes with one core each on loopback, trains two members side by side on one node, then on
two, and prints the ratio. Nodes of one machine share its cores, memory and disk: on a machine with
two cores, which also run the driver and Ray, the ratio says little about separate machines.
"""

import contextvars
import os
import platform
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from fer_models.models.config import NetworkConfig
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.train import train_member
from tests.fer_models.training.distributed.ray_nodes import clients_token, one_node
from tests.fer_models.training.faces import write_faces

_MEMBERS = ("first", "second")
_EPOCHS = 6
_NUM_TRAIN = 3000


@dataclass(frozen=True)
class ClusterBench:
    """Seconds from the start of the first member to the end of the last one."""

    one_node_s: float
    two_nodes_s: float

    @property
    def ratio(self) -> float:
        """Speed-up by the second node."""
        return self.one_node_s / self.two_nodes_s


def bench_cluster(folder: Path) -> ClusterBench:
    """Train the members on one node, then on two, with files in `folder`."""
    with pytest.MonkeyPatch.context() as patch, one_node() as cluster, clients_token():
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("RAY_ADDRESS", cluster.address)
        _seconds(folder / "warm-up", epochs=1)
        one_node_s = _seconds(folder / "one")
        cluster.add()
        _seconds(folder / "warm-up of two", epochs=1)
        return ClusterBench(one_node_s, _seconds(folder / "two"))


def _seconds(folder: Path, epochs: int = _EPOCHS) -> float:
    store = ArtifactStore(StoreConfig(url=str(folder)))
    snapshot = write_faces(store, num_train=_NUM_TRAIN)
    untracked = TrackingConfig(mode="disabled")
    connection = ray_cluster(Demand(who="benchmark", remedy="", pieces=0, cpus=0))
    with connection, ThreadPoolExecutor(len(_MEMBERS)) as threads:
        started_s = time.perf_counter()
        runs = [
            threads.submit(
                contextvars.copy_context().run,
                train_member,
                *(store, snapshot, _member(name, epochs), 0, untracked),
            )
            for name in _MEMBERS
        ]
        for run in runs:
            run.result()
        return time.perf_counter() - started_s


def _member(name: str, epochs: int) -> MemberConfig:
    training = TrainingConfig(epochs=epochs, batch_size=128, threads=1)
    return MemberConfig(name=name, network=NetworkConfig(name="compact_cnn"), training=training)


def main() -> None:
    """Print the results."""
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_cluster(Path(folder))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch "
        f"{torch.__version__}: {len(_MEMBERS)} members of {_EPOCHS} epochs on {_NUM_TRAIN} images, "
        f"nodes with one core: one node {bench.one_node_s:.0f} s, two nodes "
        f"{bench.two_nodes_s:.0f} s, {bench.ratio:.2f} times as fast"
    )


if __name__ == "__main__":
    main()
