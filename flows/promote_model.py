"""Promote a model: from trained models to a champion and a report."""

from prefect import flow

from flows.entry import StartedRun, entry_flow, short_run, subflow_name
from flows.final_fit import final_fit
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import prepare
from flows.results import Outcome, TrainedModels
from flows.train_models import train_members
from tasks.cache.results import results_in
from tasks.final_fit import evaluate_final
from tasks.promote import promote
from tasks.report import report


@entry_flow("promote-model", short_run)
def promote_model(run: StartedRun) -> Outcome:
    """Compare the candidate with the champion, and write the report.

    The models are trained first, or taken from the cache.

    Example:
        outcome = promote_model(recipe="demo")
        outcome.promotion.promoted, outcome.run.report_url
    """
    config = run.config
    outcome = promote_candidate.fn(config, train_members(config, prepare(config)))
    return run.judged(outcome)


@flow(name="promote-model", flow_run_name=subflow_name)
def promote_candidate(config: PipelineConfig, trained: TrainedModels) -> Outcome:
    """Compare the candidate with the champion, and write the report.

    Args:
        config: the resolved configuration of the run.
        trained: the models.
    """
    data, validation = trained.prepared.snapshot, trained.prepared.validation
    with results_in(config.store):
        candidate = trained.ensemble.candidate
        final = final_fit(config, data, candidate, validation)
        promotion = promote(
            data, candidate, config.promotion, config.store, config.tracking, final, validation
        )
        final_evaluation = None
        if final is not None and promotion.final_fit_id == final.id:
            final_evaluation = evaluate_final(data, final, config.evaluation, config.store)
        run = report(
            config,
            data,
            validation,
            trained.tuning,
            list(trained.evaluations),
            trained.ensemble,
            promotion,
            config.store,
            config.tracking,
            (*trained.models, *trained.ensemble.ensembles),
        )
    return Outcome(trained=trained, promotion=promotion, final_evaluation=final_evaluation, run=run)
