"""Score every label with networks that were not trained on its image."""

from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import score_labels
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import score_rows
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(scores: ScoresRef, parameters: Parameters) -> None:
    rows = score_rows(ArtifactStore(parameters["store"]), scores)
    publish_table("scores", rows, "Out-of-fold label scores")


@stage("fer_models.quality.score", publish=_publish, trains=True)
def score(snapshot: SnapshotRef, config: ScoringConfig, seed: int, store: StoreConfig) -> ScoresRef:
    """Out-of-fold probabilities, label quality and face scores of all images."""
    return score_labels(ArtifactStore(store), snapshot, config, seed)
