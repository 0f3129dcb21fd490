"""Task: evaluate a model."""

from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import evaluation_rows, slice_rows
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(evaluation: EvaluationRef, parameters: Parameters) -> None:
    store, name = ArtifactStore(parameters["store"]), parameters["model"].name
    publish_table(f"metrics-{name}", evaluation_rows(store, evaluation), f"Metrics of {name}")
    publish_table(f"slices-{name}", slice_rows(store, evaluation), f"Slices of {name}")


@stage("fer_models.evaluation.evaluate", publish=_publish, latest="evaluate-{model.name}")
def evaluate(
    snapshot: SnapshotRef, model: ModelRef, config: EvaluationConfig, store: StoreConfig
) -> EvaluationRef:
    """Metrics of one model on validation, test, and test without copies of training images."""
    return evaluate_model(ArtifactStore(store), snapshot, model, config)
