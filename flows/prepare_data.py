"""From sources to a validated, cleaned and split dataset."""

from prefect import flow

from fer_models.config import PipelineConfig
from flows.results import PreparedData
from tasks.clean import clean
from tasks.ingest import ingest
from tasks.results import results_in
from tasks.split import split
from tasks.validate import gate, validate

DEMO = PipelineConfig()


@flow(name="prepare-data", flow_run_name="prepare-data-{config.name}")
def prepare_data(config: PipelineConfig = DEMO) -> PreparedData:
    """Read the sources, hold back what fails the gate, quarantine, and split."""
    with results_in(config.store):
        raw = ingest(config.data, config.seed, config.store)
        validation = validate(raw, config.validation, config.store)
        passed = gate(raw, validation, config.validation, config.store)
        cleaned = clean(passed, config.cleaning, config.store)
        snapshot = split(cleaned, config.splitting, config.seed, config.store)
    return PreparedData(snapshot=snapshot, validation=validation)
