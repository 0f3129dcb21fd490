"""Task: evaluate a model."""

from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import evaluation_rows
from tasks.stage import stage


@stage("fer_models.evaluation.evaluate")
def evaluate(
    snapshot: SnapshotRef, model: ModelRef, config: EvaluationConfig, store: StoreConfig
) -> EvaluationRef:
    """Metrics of one model on validation, test, and test without leaks."""
    artifacts = ArtifactStore(store)
    evaluation = evaluate_model(artifacts, snapshot, model, config)
    publish_table(f"metrics-{model.name}", evaluation_rows(artifacts, evaluation), "Metrics")
    return evaluation
