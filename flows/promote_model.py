"""Promote a model: from trained models to a champion and a report."""

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
    """Compare the candidate with the champion, and write the report.

    Args:
        config: the configuration of the run.
        trained: the models; by default they are trained first, or taken from the cache.

    Example:
        config = load_config("demo")
        outcome = promote_model(config, train_models(config))
        outcome.promotion.promoted, outcome.run.report_url
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
