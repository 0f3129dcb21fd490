"""A trial whose member trains on several workers: Ray Train inside Ray Tune.

The trial itself only listens; its workers find room beside it, in a placement group of their own.
"""

import math
import shutil
import uuid
from collections.abc import Callable
from typing import Any

from fer_models.ray_cluster import node_resources
from fer_models.training.config import MemberConfig
from fer_models.training.engine.results import EpochResult

# Not 0: Ray Tune wants something set aside for a trial. With more, two workers with a core each
# would wait for ever on a machine with two cores.
DRIVER_CPUS = 0.001
_ROUNDING = 1e-6


def fit_trial(
    data: Any, member: MemberConfig, seed: int, on_epoch: Callable[[EpochResult], None]
) -> None:
    """Train a trial's member on its workers.

    Args:
        data: reference to the training data in the object store.
        member: network and training, the trial's setting in it.
        seed: start of every random draw.
        on_epoch: hears of every finished epoch; what it raises ends the workers.
    """
    from ray import tune

    from fer_models.training.distributed.channel import EventHandler
    from fer_models.training.distributed.checkpoints import CheckpointLocation
    from fer_models.training.distributed.driver import fit_on_workers

    # A name of its own: a trial that is run again starts anew, as in one process.
    location = CheckpointLocation(
        str(tune.get_context().get_trial_dir()), f"workers-{uuid.uuid4().hex}"
    )
    handler = EventHandler(on_epoch, lambda _: None, lambda _: None)
    try:
        fit_on_workers(data, member, seed, location, handler)
    finally:
        shutil.rmtree(f"{location.path}/{location.name}", ignore_errors=True)


def trials_at_a_time(member: MemberConfig, wanted: int) -> int:
    """As many as wanted, but no more than have room for all of their workers.

    A trial that had begun without room for its workers would wait for those of another one.
    """
    if member.training.workers == 1:
        return wanted
    cores = sum(node.get("CPU", 0.0) for node in node_resources())
    cores_a_trial = member.training.workers * member.training.cpus_per_worker + DRIVER_CPUS
    return max(1, min(wanted, math.floor(cores / cores_a_trial + _ROUNDING)))
