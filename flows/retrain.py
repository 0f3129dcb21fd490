"""Retrain if the data changed or the champion is too old; the scheduled flow."""

from prefect import flow

from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO, prepare_data
from flows.promote_model import promote_model
from flows.results import Outcome
from flows.train_models import train_models
from tasks.promote import decide_retraining


@flow(name="retrain", flow_run_name="retrain-{config.name}")
def retrain(config: PipelineConfig = DEMO) -> Outcome | None:
    """Train and promote only if there is a reason to; otherwise return None.

    An old champion of the same data is challenged by models with another seed, because the same
    data and seed would give the same models again.

    Example:
        outcome = retrain(load_config("fer2013", ["retraining.max_age_days=7"]))
        if outcome is None:
            ...  # the champion is kept
    """
    prepared = prepare_data(config)
    decision = decide_retraining(prepared.snapshot, config.retraining, config.store)
    if not decision.retrain:
        return None
    shifted = config.model_copy(update={"seed": config.seed + decision.seed_shift})
    return promote_model(shifted, train_models(shifted, prepared))
