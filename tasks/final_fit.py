"""Tasks: train the final fit of a candidate, and measure it on test images."""

from collections.abc import Sequence

from fer_models.ensembling.final import networks_to_repeat, write_final
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.final_fit import fit_final
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import evaluation_rows, final_rows
from tasks.completion import Parameters
from tasks.stage import stage


def candidate_networks(candidate: ModelRef, store: StoreConfig) -> list[ModelRef]:
    """The networks of the candidate that are trained once more."""
    return networks_to_repeat(ArtifactStore(store), candidate)


def _publish(final: ModelRef, parameters: Parameters) -> None:
    rows = final_rows(ArtifactStore(parameters["store"]), final)
    publish_table(f"model-{final.name}", rows, f"Final fit {final.name}")


def _publish_metrics(evaluation: EvaluationRef | None, parameters: Parameters) -> None:
    if evaluation is not None:
        rows = evaluation_rows(ArtifactStore(parameters["store"]), evaluation)
        name = parameters["model"].name
        publish_table(f"metrics-{name}", rows, f"Metrics of {name}")


@stage(
    "fer_models.training.final_fit",
    publish=_publish,
    latest="final-{model.name}",
    trains=True,
)
def final_network(
    model: ModelRef,
    tracking: TrackingConfig,
    store: StoreConfig,
    weights_dir: str | None = None,
) -> ModelRef:
    """Train a selected network once more, on training and validation images."""
    return fit_final(ArtifactStore(store), model, tracking, weights_dir)


@stage("fer_models.ensembling.final", publish=_publish, latest="final-{model.name}")
def final_model(model: ModelRef, finals: Sequence[ModelRef], store: StoreConfig) -> ModelRef:
    """Combine the final fits of a model's networks by the rule of the model."""
    return write_final(ArtifactStore(store), model, finals)


@stage("fer_models.evaluation.evaluate", publish=_publish_metrics, latest="evaluate-{model.name}")
def evaluate_final(
    snapshot: SnapshotRef, model: ModelRef, config: EvaluationConfig, store: StoreConfig
) -> EvaluationRef | None:
    """Metrics of a final fit on the test images; None if there are none."""
    artifacts = ArtifactStore(store)
    if not artifacts.info(snapshot)["split_counts"].get("test"):
        return None
    return evaluate_model(artifacts, snapshot, model, config)
