"""Score every label with networks that were not trained on its image."""

from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import score_labels
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import score_rows
from tasks.stage import stage


@stage("fer_models.quality.score")
def score(snapshot: SnapshotRef, config: ScoringConfig, seed: int, store: StoreConfig) -> ScoresRef:
    """Out-of-fold probabilities, label quality and face scores of all images."""
    artifacts = ArtifactStore(store)
    scores = score_labels(artifacts, snapshot, config, seed)
    publish_table("scores", score_rows(artifacts, scores), "Out-of-fold label scores")
    return scores
