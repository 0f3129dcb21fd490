"""Train one member."""

from collections.abc import Sequence

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import FoldRef, ModelRef, SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.folds.train import fit_fold
from fer_models.training.train import train_member
from fer_models.tuning.tune import apply_tuning
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import model_rows
from tasks.cache.weights import weights_fingerprint
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(model: ModelRef, parameters: Parameters) -> None:
    rows = model_rows(ArtifactStore(parameters["store"]), model)
    publish_table(f"model-{model.name}", rows, f"Network {model.name}")


@stage(
    "fer_models.training.train",
    cache_key_extra=weights_fingerprint,
    publish=_publish,
    latest="train-{member.name}",
    trains=True,
)
def train(
    snapshot: SnapshotRef,
    member: MemberConfig,
    tuning: TuningRef | None,
    seed: int,
    tracking: TrackingConfig,
    store: StoreConfig,
    teachers: Sequence[ModelRef] = (),
    initial: ModelRef | None = None,
    folds: Sequence[FoldRef] = (),
) -> ModelRef:
    """Train a network, with tuned settings, distillation and initial weights, if given."""
    artifacts = ArtifactStore(store)
    tuned = apply_tuning(artifacts, member, tuning)
    return train_member(artifacts, snapshot, tuned, seed, tracking, teachers, initial, folds)


@stage(
    "fer_models.training.folds.train",
    cache_key_extra=weights_fingerprint,
    latest="fold-{member.name}-{fold}",
    trains=True,
)
def train_fold(
    snapshot: SnapshotRef,
    member: MemberConfig,
    tuning: TuningRef | None,
    seed: int,
    tracking: TrackingConfig,
    store: StoreConfig,
    fold: int,
    teachers: Sequence[ModelRef] = (),
) -> FoldRef:
    """Train a member's network for one fold, and predict the images that it did not see."""
    artifacts = ArtifactStore(store)
    tuned = apply_tuning(artifacts, member, tuning)
    return fit_fold(artifacts, snapshot, tuned, seed, tracking, fold, teachers)
