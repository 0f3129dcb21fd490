"""Train again when the data or the champion's age asks for it; this is what the schedule runs."""

from prefect import flow

from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO, prepare_data
from flows.promote_model import promote_model
from flows.results import Outcome
from flows.train_models import train_models
from tasks.promote import decide_retraining


@flow(name="retrain", flow_run_name="retrain-{config.name}")
def retrain(config: PipelineConfig = DEMO) -> Outcome | None:
    """Look at the sources and the champion; train and promote only if there is a reason to.

    A champion that is merely old is challenged by models from another seed: the same data and
    seed would give the same models again.
    """
    prepared = prepare_data(config)
    decision = decide_retraining(prepared.snapshot, config.retraining, config.store)
    if not decision.retrain:
        return None
    fresh = config.model_copy(update={"seed": config.seed + decision.seed_shift})
    return promote_model(fresh, train_models(fresh, prepared))
