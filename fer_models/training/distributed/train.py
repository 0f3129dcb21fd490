"""Entry point of distributed training, which loads Ray lazily."""

from fer_models.errors import DataError
from fer_models.models.factory import build_empty_network
from fer_models.ray_cluster import ray_cluster
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.checkpoints import checkpoint_location
from fer_models.training.distributed.events import EventHandler
from fer_models.training.distributed.resources import worker_demand
from fer_models.training.engine.fit import TrainedNetwork, member_preprocessing, require_batches
from fer_models.training.inputs.data import TrainingData
from fer_models.training.inputs.progressive_resizing import require_start_size


def train_on_workers(
    store: ArtifactStore,
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    checkpoints: CheckpointDir,
    handler: EventHandler,
) -> TrainedNetwork:
    """Train a member on `training.workers` workers, on RAY_ADDRESS or on a Ray started here.

    Every step uses the same images as a training in one process. The exact weights also depend on
    the number of workers: each augments with its own random numbers, and batch normalisation uses
    each worker's rows only. A training that was killed resumes from its last epoch.

    Args:
        store: holds the checkpoints when on a cluster.
        data: training and validation images; the workers of a node share one copy.
        member: network and training settings.
        seed: seed of all random numbers.
        checkpoints: holds the checkpoints when on this machine.
        handler: receives the training's events, in the calling thread.

    Raises:
        ConfigError: the network, the settings and the cluster do not fit each other.
        DataError: there are too few images for so many workers.
        TrainingError: the loss is not finite, memory runs out, Ray is unusable, or workers were
            lost too often.
    """
    # Checked before Ray starts, which takes a while.
    _require_images(data, member)
    network = build_empty_network(member.network, len(data.classes))
    require_batches(network, member)
    require_start_size(network, member)
    with ray_cluster(worker_demand(member, data.nbytes)):
        import ray

        from fer_models.training.distributed.driver import fit_on_workers

        location = checkpoint_location(store, checkpoints)
        result = fit_on_workers(ray.put(data), member, seed, location, handler)
    network.load_state_dict(result.best_weights)
    network.eval()
    preprocessing = member_preprocessing(member, data)
    return TrainedNetwork(network, preprocessing, result.curve, result.best, result.seconds)


def _require_images(data: TrainingData, member: MemberConfig) -> None:
    workers = member.training.workers
    problems = [
        f"{name}: expected at least {needed} images for {workers} workers, got {len(split)}"
        for name, split, needed in (
            ("train", data.train, 2 * workers),
            ("validation", data.validation, 0 if data.stop_epoch else workers),
        )
        if len(split) < needed
    ]
    if problems:
        most = max(1, min(len(data.train) // 2, len(data.validation)))
        raise DataError(f"{member.name}: too few images; set training.workers={most}", problems)
