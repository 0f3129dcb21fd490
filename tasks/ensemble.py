"""Task: build the ensembles and select the candidate."""

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import EnsembleRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import ensemble_rows
from tasks.stage import stage


@stage("fer_models.ensembling.ensemble")
def ensemble(
    snapshot: SnapshotRef, models: list[ModelRef], config: EnsembleConfig, store: StoreConfig
) -> EnsembleRef:
    """Build the ensembles; the model with the best validation score becomes the candidate."""
    artifacts = ArtifactStore(store)
    built = ensemble_models(artifacts, snapshot, models, config)
    publish_table("ensemble", ensemble_rows(artifacts, built), "Validation scores of all models")
    return built
