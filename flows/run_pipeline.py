"""The whole pipeline: data, models, champion and report."""

from flows.entry import StartedRun, entry_flow, short_run
from flows.prepare_data import prepare
from flows.promote_model import promote_candidate
from flows.results import Outcome
from flows.train_models import train_members


@entry_flow("run-pipeline", short_run)
def run_pipeline(run: StartedRun) -> Outcome:
    """Prepare the data, train the models, promote the best; finished tasks come from the cache.

    Example:
        outcome = run_pipeline(recipe="demo", store="/tmp/store")
        outcome.promotion.promoted, outcome.run.report_url
    """
    prepared = prepare(run.config)
    trained = train_members(run.config, prepared)
    return run.judged(promote_candidate(run.config, trained))
