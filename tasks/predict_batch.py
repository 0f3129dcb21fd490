"""Task of batch prediction."""

from fer_models.batch.config import PredictionConfig
from fer_models.batch.outcome import BatchOutcome
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_link, publish_table
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(outcome: BatchOutcome, parameters: Parameters) -> None:
    del parameters
    if not outcome.batches:
        return
    rows = [{"label": label, "faces": count} for label, count in outcome.counts.items()]
    text = (
        f"{outcome.faces} faces in {outcome.predicted} new pictures, "
        f"{outcome.without_face} pictures without a face, by {outcome.model}"
    )
    publish_table("predictions", rows, text)
    for number, batch in enumerate(outcome.batches, start=1):
        name = f"batch {number} of {len(outcome.batches)}"
        publish_link(f"predictions-{number}", batch.report_url, f"The page of {name}")


@stage("fer_models.batch.predict", cached=False, publish=_publish)
def predict_batches(config: PredictionConfig, store: StoreConfig) -> BatchOutcome:
    """Predict the pictures that no earlier batch has; never cached, because pictures arrive."""
    # It imports torch, which a run without new pictures does not need.
    from fer_models.batch.predict import predict_batches

    return predict_batches(ArtifactStore(store), config)
