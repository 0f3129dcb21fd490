"""Predict new pictures, and compare them with the champion's data; runs as often as they arrive."""

from fer_models.batch.earlier import names_batches
from flows.checks import check_pictures
from flows.entry import StartedRun, entry_flow, prediction_run
from flows.results import Predicted
from tasks.cache.results import results_in
from tasks.drift import drift_of_predictions
from tasks.predict_batch import predict_batches


@entry_flow("predict-batch", prediction_run)
def predict_batch(run: StartedRun) -> Predicted:
    """Predict the new pictures of folders and buckets.

    A picture is predicted once. If the recipe's `retraining.recent_images` name predictions
    (`predictions:7d`), the drift of these is measured; drift that is found starts the retraining
    check.

    Raises:
        ConfigError: no pictures are named.
        DataError: a folder or picture does not exist.

    Example:
        predicted = predict_batch(pictures=("s3://bucket/incoming",), store="s3://bucket/fer")
        predicted.outcome.counts
    """
    config = run.config
    check_pictures(config)
    with results_in(config.store):
        outcome = predict_batches(config.prediction, config.store)
        if not outcome.batches:
            run.nothing_to_do(f"no new pictures among {outcome.found}")
            return Predicted(outcome=outcome)
        drift = None
        if outcome.faces and any(map(names_batches, config.retraining.recent_images)):
            drift = drift_of_predictions(
                outcome.model, config.retraining, config.seed, config.store
            )
    return Predicted(outcome=outcome, drift=drift)
