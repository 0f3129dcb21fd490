"""Write the report of a run."""

import time
from collections.abc import Sequence

from fer_models.plotting.page import templates_hash
from fer_models.reporting.collect import RunConfig
from fer_models.reporting.report import PACKAGE, write_report
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    ModelRef,
    PromotionRef,
    RunRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from tasks.artifacts.publish import publish_link
from tasks.completion import Parameters
from tasks.execution import execution_so_far
from tasks.stage import stage


def _publish(run: RunRef, parameters: Parameters) -> None:
    publish_link("report", run.report_url, f"Report of {parameters['config'].name}")


def _templates(_: Parameters) -> str:
    """The look of the page: the cache key covers modules only."""
    return templates_hash(PACKAGE)


@stage("fer_models.reporting.report", cache_key_extra=_templates, publish=_publish)
def report(
    config: RunConfig,
    snapshot: SnapshotRef,
    validation: ValidationRef,
    tuning: TuningRef | None,
    evaluations: list[EvaluationRef],
    ensemble: EnsembleRef,
    promotion: PromotionRef,
    store: StoreConfig,
    tracking: TrackingConfig,
    models: Sequence[ModelRef],
) -> RunRef:
    """Write an HTML page about the data, the models and the promotion, and the run's lineage."""
    from fer_models.tracking.outcome import track_report

    artifacts = ArtifactStore(store)
    run = write_report(
        artifacts,
        config,
        snapshot,
        validation,
        tuning,
        evaluations,
        ensemble,
        promotion,
        execution_so_far(artifacts, time.time()),
    )
    track_report(tracking, artifacts, config.name, run, snapshot, models)
    return run
