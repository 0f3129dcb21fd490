"""Task: build the ensembles and select the candidate."""

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import EnsembleRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import ensemble_rows
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(built: EnsembleRef, parameters: Parameters) -> None:
    rows = ensemble_rows(ArtifactStore(parameters["store"]), built)
    publish_table("ensemble", rows, "Scores of all models, and of the choice among them")


@stage("fer_models.ensembling.ensemble", publish=_publish)
def ensemble(
    snapshot: SnapshotRef, models: list[ModelRef], config: EnsembleConfig, store: StoreConfig
) -> EnsembleRef:
    """Build the ensembles; the candidate is chosen among them and the models."""
    return ensemble_models(ArtifactStore(store), snapshot, models, config)
