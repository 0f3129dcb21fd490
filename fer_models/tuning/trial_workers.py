"""A trial whose member trains on several workers: Ray Train inside Ray Tune.

The trial process only waits for events; its workers have a placement group of their own.
"""

import math
import shutil
import uuid
from collections.abc import Callable
from typing import Any

from fer_models.ray_cluster import node_resources
from fer_models.training.config import MemberConfig
from fer_models.training.engine.results import EpochResult

# Not 0, because Ray Tune must reserve something for a trial. With more, two workers with one core
# each would wait forever on a machine with two cores.
DRIVER_CPUS = 0.001
_ROUNDING = 1e-6


def fit_trial(
    data: Any, member: MemberConfig, seed: int, on_epoch: Callable[[EpochResult], None]
) -> None:
    """Train the member of a trial on its workers.

    Args:
        data: reference to the training data in Ray's object store.
        member: network and training, with the setting of the trial applied.
        seed: seed of all random draws.
        on_epoch: called after every epoch; an exception from it stops the workers.
    """
    from ray import tune

    from fer_models.training.distributed.checkpoints import CheckpointLocation
    from fer_models.training.distributed.driver import fit_on_workers
    from fer_models.training.distributed.events import EventHandler

    # A unique name: a retried trial starts over, as it does in one process.
    location = CheckpointLocation(
        str(tune.get_context().get_trial_dir()), f"workers-{uuid.uuid4().hex}"
    )
    handler = EventHandler(on_epoch, lambda _: None, lambda _: None)
    try:
        fit_on_workers(data, member, seed, location, handler)
    finally:
        shutil.rmtree(f"{location.path}/{location.name}", ignore_errors=True)


def max_parallel_trials(member: MemberConfig, requested: int) -> int:
    """The requested number of parallel trials, limited to those whose workers all have room.

    A trial that started without room for its workers would wait for the workers of another one.
    """
    if member.training.workers == 1:
        return requested
    cores = sum(node.get("CPU", 0.0) for node in node_resources())
    cores_per_trial = member.training.workers * member.training.cpus_per_worker + DRIVER_CPUS
    return max(1, min(requested, math.floor(cores / cores_per_trial + _ROUNDING)))
