"""The whole pipeline: data, models, champion and report."""

from prefect import flow

from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO, prepare_data
from flows.promote_model import promote_model
from flows.results import Outcome
from flows.train_models import train_models


@flow(name="run-pipeline", flow_run_name="run-pipeline-{config.name}")
def run_pipeline(config: PipelineConfig = DEMO) -> Outcome:
    """Prepare the data, train the models, promote the best; finished tasks come from the cache.

    Example:
        outcome = run_pipeline(load_config("demo", ["store.url=/tmp/store"]))
        outcome.promotion.promoted, outcome.run.report_url
    """
    prepared = prepare_data(config)
    trained = train_models(config, prepared)
    return promote_model(config, trained)
