"""Find the weights of the champion that members start from."""

from collections.abc import Sequence

from fer_models.promotion.warm_start import warm_starts
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.native_input import with_native_input
from fer_models.tuning.tune import apply_tuning
from tasks.stage import stage


@stage("fer_models.promotion.warm_start", cached=False)
def warm_start(
    members: Sequence[MemberConfig],
    snapshot: SnapshotRef,
    tuning: TuningRef | None,
    store: StoreConfig,
) -> dict[str, ModelRef]:
    """The champion's network that each member starts from; members without one are left out.

    A search may have changed a member's network, so its result is applied first. A network that has
    learned from held-out images of the snapshot is not started from.
    """
    artifacts = ArtifactStore(store)
    tuned = (apply_tuning(artifacts, member, tuning) for member in members)
    reading = [with_native_input(artifacts, snapshot, member) for member in tuned]
    return warm_starts(artifacts, reading, snapshot)
