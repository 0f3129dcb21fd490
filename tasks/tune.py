"""Search the hyper-parameters of a member."""

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.tune import tune_member
from tasks.artifacts.publish import embedded_images, publish_markdown, publish_table
from tasks.artifacts.tables import trial_rows
from tasks.cache.weights import weights_fingerprint
from tasks.stage import stage


@stage("fer_models.tuning.tune", cache_key_extra=weights_fingerprint)
def tune(
    snapshot: SnapshotRef,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    store: StoreConfig,
) -> TuningRef:
    """Try settings of one member with Ray Tune; the result contains the best one."""
    artifacts = ArtifactStore(store)
    tuning = tune_member(artifacts, snapshot, member, config, seed)
    key = f"tuning-{member.name}"
    publish_table(key, trial_rows(artifacts, tuning), "Trials, best first")
    images = embedded_images(artifacts, tuning, artifacts.info(tuning)["plots"])
    publish_markdown(f"{key}-plots", "\n\n".join(images), "Plots of the trials")
    return tuning
