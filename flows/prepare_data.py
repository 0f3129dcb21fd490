"""Prepare data: from sources to a validated, cleaned and split dataset."""

from prefect import flow

from fer_models.storage.refs import SnapshotRef
from flows.entry import StartedRun, entry_flow, short_run, subflow_name
from flows.pipeline_config import PipelineConfig
from flows.results import PreparedData
from tasks.cache.results import results_in
from tasks.clean import clean
from tasks.explore import explore
from tasks.ingest import ingest
from tasks.labelled import labelled_faces
from tasks.review import build_review, check_reviewable, decisions, wait_for_review
from tasks.score import score
from tasks.slot.training_slot import release_training_slot
from tasks.split import split
from tasks.validate import gate, validate


@entry_flow("prepare-data", short_run)
def prepare_data(run: StartedRun) -> PreparedData:
    """Ingest, validate, score, clean, split and explore the data.

    Raises:
        GateError: the data gate rejected the data, or nobody reviewed it in time.
        DataError: a source can't be read.
        ConfigError: a pause for review without a persistent Prefect server.

    Example:
        prepared = prepare_data(recipe="fer2013", data=("fer2013.csv",))
        prepared.snapshot.url  # the split dataset in the artifact store
    """
    return prepare.fn(run.config)


@flow(name="prepare-data", flow_run_name=subflow_name)
def prepare(config: PipelineConfig) -> PreparedData:
    """Ingest, validate, score, clean, split and explore the data of a resolved configuration."""
    if config.cleaning.pause_for_review:
        check_reviewable()
    with results_in(config.store):
        labelled = labelled_faces(config.store) if config.data.labelled else None
        raw = ingest(config.data, config.seed, config.store, labelled)
        validation = validate(raw, config.validation, config.store)
        passed = gate(raw, validation, config.validation, config.store)
        cleaned = _clean(passed, config)
        snapshot = split(cleaned, config.splitting, config.seed, config.store)
        exploration = explore(snapshot, config.store)
    return PreparedData(snapshot=snapshot, validation=validation, exploration=exploration)


def _clean(raw: SnapshotRef, config: PipelineConfig) -> SnapshotRef:
    """Clean by the rules and by review decisions, earlier ones and those of a pause."""
    scores = score(raw, config.scoring, config.seed, config.store) if config.scores_labels else None
    reviewed = decisions(config.store) if config.cleaning.honour_decisions else None
    cleaned = clean(raw, scores, reviewed, config.cleaning, config.store)
    if not config.cleaning.pause_for_review:
        return cleaned
    page_url = build_review(cleaned, config.store)
    release_training_slot()  # the answer may take days
    timeout_s = int(config.cleaning.review_timeout_h * 3600)
    reviewed = wait_for_review(cleaned, page_url, config.store, timeout_s)
    return clean(raw, scores, reviewed, config.cleaning, config.store)
