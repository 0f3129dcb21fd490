"""Search the hyper-parameters of a member."""

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.tune import tune_member
from tasks.artifacts.links import markdown_link
from tasks.artifacts.publish import embedded_images, publish_markdown, publish_table
from tasks.artifacts.tables import trial_rows
from tasks.cache.weights import weights_fingerprint
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(tuning: TuningRef, parameters: Parameters) -> None:
    store, key = ArtifactStore(parameters["store"]), f"tuning-{parameters['member'].name}"
    publish_table(key, trial_rows(store, tuning), "Trials, best first")
    plots = store.info(tuning)["plots"]
    links = [markdown_link(file, f"{tuning.url}/{file}") for file in plots]
    text = "\n\n".join([*embedded_images(store, tuning, plots), *links])
    publish_markdown(f"{key}-plots", text, "Plots of the trials")


@stage("fer_models.tuning.tune", cache_key_extra=weights_fingerprint, publish=_publish, trains=True)
def tune(
    snapshot: SnapshotRef,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    store: StoreConfig,
) -> TuningRef:
    """Try settings of one member with Ray Tune; the result contains the best one."""
    return tune_member(ArtifactStore(store), snapshot, member, config, seed)
