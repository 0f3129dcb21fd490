"""Ray resources of a training's workers: cores, GPUs and threads."""

from fer_models.errors import ConfigError
from fer_models.ray_cluster import Demand, num_gpus
from fer_models.training.config import MemberConfig


def worker_demand(member: MemberConfig, object_bytes: int = 0, gpus: float = 0.0) -> Demand:
    """Resources that a member's workers request, with `gpus` GPUs each."""
    training = member.training
    return Demand(
        who=f"training {member.name}: training.workers={training.workers}",
        remedy="lower training.workers or training.cpus_per_worker, or add nodes to the cluster",
        pieces=training.workers,
        cpus=training.cpus_per_worker,
        gpus=gpus,
        object_bytes=object_bytes,
    )


def worker_threads(member: MemberConfig) -> int:
    """Threads per worker: `training.threads`, else its number of cores (at least 1)."""
    return member.training.threads or max(1, int(member.training.cpus_per_worker))


def gpus_per_worker(member: MemberConfig) -> float:
    """1 if the cluster has GPUs, else 0.

    Raises:
        ConfigError: the cluster has fewer GPUs than workers; workers can't share one.
    """
    gpus, workers = num_gpus(), member.training.workers
    if not gpus or gpus >= workers:
        return float(bool(gpus))
    raise ConfigError(
        f"training {member.name}: training.workers={workers} need a GPU each, but the Ray cluster "
        f"has {gpus:g}; set training.workers={int(gpus)}, or hide the GPUs (CUDA_VISIBLE_DEVICES=) "
        "to train on CPUs"
    )
