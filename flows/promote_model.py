"""From trained models to a champion and a report."""

from prefect import flow

from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO
from flows.results import Outcome, TrainedModels
from flows.train_models import train_models
from tasks.cache.results import results_in
from tasks.promote import promote
from tasks.report import report


@flow(name="promote-model", flow_run_name="promote-model-{config.name}")
def promote_model(config: PipelineConfig = DEMO, trained: TrainedModels | None = None) -> Outcome:
    """Let the candidate meet the champion, and write the report.

    Without `trained`, the models are trained first (from the cache where they were before).
    """
    trained = trained or train_models(config)
    data, validation = trained.prepared.snapshot, trained.prepared.validation
    with results_in(config.store):
        promotion = promote(data, trained.ensemble.candidate, config.promotion, config.store)
        run = report(
            config,
            data,
            validation,
            trained.tuning,
            list(trained.evaluations),
            trained.ensemble,
            promotion,
            config.store,
        )
    return Outcome(trained=trained, promotion=promotion, run=run)
