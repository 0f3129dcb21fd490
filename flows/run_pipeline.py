"""The whole way: data, models, champion, report."""

from prefect import flow

from flows.pipeline_config import PipelineConfig
from flows.prepare_data import DEMO, prepare_data
from flows.promote_model import promote_model
from flows.results import Outcome
from flows.train_models import train_models


@flow(name="run-pipeline", flow_run_name="run-pipeline-{config.name}")
def run_pipeline(config: PipelineConfig = DEMO) -> Outcome:
    """Prepare the data, train the models, promote the best; what was done before is not redone."""
    prepared = prepare_data(config)
    trained = train_models(config, prepared)
    return promote_model(config, trained)
