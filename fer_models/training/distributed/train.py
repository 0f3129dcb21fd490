"""The door to distributed training: Ray is loaded behind it."""

from fer_models.errors import DataError
from fer_models.models.registry import build_empty_network
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.distributed.listener import Listener
from fer_models.training.distributed.place import checkpoint_place
from fer_models.training.growth import require_start_size
from fer_models.training.loop import Fitted, member_preprocessing, require_batches
from fer_models.training.work_folder import WorkFolder


def train_on_workers(
    store: ArtifactStore,
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    work: WorkFolder,
    listener: Listener,
) -> Fitted:
    """Train a member with `training.workers` workers, on RAY_ADDRESS or on a Ray started here.

    Each step sees the images that a training in one process sees. An exact repeat needs the same
    number of workers, too: each augments with numbers of its own, and batch normalisation looks at
    each worker's share. A training that was killed goes on from its last epoch.

    Args:
        store: holds the checkpoints on a cluster.
        data: training and validation images; the workers of a node share one copy.
        member: network and training.
        seed: start of every random draw.
        work: holds the checkpoints on this machine.
        listener: hears of the training in this thread, while it runs.

    Raises:
        ConfigError: network, settings and cluster do not fit together.
        DataError: there are fewer images than workers need.
        TrainingError: the loss is not finite, memory ran out, Ray can't be used, or workers were
            lost too often.
    """
    # Told before Ray starts, which takes a while.
    _require_images(data, member)
    network = build_empty_network(member.network)
    require_batches(network, member)
    require_start_size(network, member)
    with ray_cluster(worker_demand(member, data.nbytes)):
        import ray

        from fer_models.training.distributed.fit import fit_on_workers

        place = checkpoint_place(store, work)
        learned = fit_on_workers(ray.put(data), member, seed, place, listener)
    network.load_state_dict(learned.best_weights)
    network.eval()
    preprocessing = member_preprocessing(member, data)
    return Fitted(network, preprocessing, learned.curve, learned.best, learned.seconds)


def worker_demand(member: MemberConfig, object_bytes: int = 0, gpus: float = 0.0) -> Demand:
    """What the workers of a member ask of a cluster, with so many GPUs each."""
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
    """Threads of each worker: as many as it has cores of its own, unless the member says more."""
    return member.training.threads or max(1, int(member.training.cpus_per_worker))


def _require_images(data: TrainingData, member: MemberConfig) -> None:
    workers = member.training.workers
    problems = [
        f"{name}: expected at least {needed} images for {workers} workers, got {len(split)}"
        for name, split, needed in (
            ("train", data.train, 2 * workers),
            ("validation", data.validation, workers),
        )
        if len(split) < needed
    ]
    if problems:
        raise DataError(f"{member.name}: too few images; lower training.workers", problems)
