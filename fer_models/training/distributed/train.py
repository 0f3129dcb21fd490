"""The door to distributed training: Ray is loaded behind it."""

from fer_models.errors import DataError
from fer_models.models.factory import build_empty_network
from fer_models.ray_cluster import ray_cluster
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.channel import EventHandler
from fer_models.training.distributed.checkpoints import checkpoint_location
from fer_models.training.distributed.resources import worker_demand
from fer_models.training.engine.fit import TrainedNetwork, member_preprocessing, require_batches
from fer_models.training.inputs.data import TrainingData
from fer_models.training.inputs.progressive_resizing import require_start_size


def train_on_workers(
    store: ArtifactStore,
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    work: CheckpointDir,
    handler: EventHandler,
) -> TrainedNetwork:
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
        handler: hears of the training in this thread, while it runs.

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

        from fer_models.training.distributed.driver import fit_on_workers

        location = checkpoint_location(store, work)
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
            ("validation", data.validation, workers),
        )
        if len(split) < needed
    ]
    if problems:
        raise DataError(f"{member.name}: too few images; lower training.workers", problems)
