"""The last runs of a pipeline in wandb: its report with all it is about, and the champion."""

from collections.abc import Sequence

from fer_models.storage.refs import ModelRef, RunRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.background import RunFacts
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.track import background_run, track_run


def track_report(
    config: TrackingConfig,
    store: ArtifactStore,
    name: str,
    run: RunRef,
    snapshot: SnapshotRef,
    models: Sequence[ModelRef],
) -> None:
    """Track a report: it uses the dataset and the trained networks, and makes ensembles and itself.

    Args:
        config: where it is tracked.
        store: holds all of these.
        name: of the recipe.
        run: the report.
        snapshot: the dataset.
        models: networks and ensembles.
    """
    if not config.artifacts:
        return
    facts = {"recipe": name, "run": run.id, "dataset_sha": snapshot.id}
    with track_run(config, f"report-{name}", facts, store, job_type="report") as tracked:
        tracked.used(snapshot)
        for model in models:
            if model.kind == "network":
                tracked.used(model)
            else:
                tracked.made(model)
        tracked.made(run)


def link_champion(
    config: TrackingConfig, store: ArtifactStore, model: ModelRef, reason: str
) -> None:
    """Link a promoted model to `tracking.registry`, if that is set; a failure is a warning.

    Args:
        config: where it is tracked.
        store: holds the model.
        model: the new champion.
        reason: why it was promoted.
    """
    if not (config.registry and config.artifacts):
        return
    facts = RunFacts(f"promote-{model.name}", {"model": model.id, "reason": reason}, "promote")
    with background_run(config, facts, store) as tracked:
        if tracked is not None:
            tracked.made(model)
            tracked.link(model, config.registry)
