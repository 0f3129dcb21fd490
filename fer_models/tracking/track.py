"""Experiment tracking with wandb that can neither fail nor delay a training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from fer_models.progress import report, warn
from fer_models.remote.worker import current_node
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.background import STAGE, BackgroundRun, Counts, RunFacts
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.forward import ForwardingTracker, RunStarted
from fer_models.tracking.mode import Destination, destination


class Tracker(Protocol):
    """Receives the metrics and artifacts of a run; no method blocks or raises."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one step."""

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        """Log a confusion matrix K x K (rows true, columns predicted) of the K classes."""

    def used(self, ref: ArtifactRef) -> None:
        """Log a stored model, snapshot or report as an input of the run."""

    def made(self, ref: ArtifactRef) -> None:
        """Log a stored model, snapshot or report as an output of the run."""


class _NullTracker:
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        pass

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        pass

    def used(self, ref: ArtifactRef) -> None:
        pass

    def made(self, ref: ArtifactRef) -> None:
        pass


@contextmanager
def track_run(
    config: TrackingConfig,
    name: str,
    run_config: Mapping[str, Any],
    store: ArtifactStore | None = None,
    job_type: str = "",
) -> Iterator[Tracker]:
    """Track a run for the duration of the block.

    `destination` says where the run goes. Offline runs write files below `config.folder`. What
    can't be done as asked is one warning, and so is any failure of wandb; the block continues. On a
    node of a cluster the driver writes the run.

    Args:
        config: mode, project, folder and artifacts.
        name: display name of the run.
        run_config: settings and lineage of the run, JSON values.
        store: holds the artifacts that are logged; without it they are not.
        job_type: groups the runs in wandb, such as `train`.
    """
    if current_node() is not None and config.mode != "disabled":
        yield ForwardingTracker(RunStarted(config, name, run_config, job_type))
        return
    with background_run(config, RunFacts(name, run_config, job_type), store) as run:
        yield run or _NullTracker()


@contextmanager
def background_run(
    config: TrackingConfig, facts: RunFacts, store: ArtifactStore | None
) -> Iterator[BackgroundRun | None]:
    """A run of this process, failed if the block fails; None if tracking is off."""
    where = destination(config)
    _announce(config, facts, where)
    if where.target == "disabled":
        yield None
        return
    run = BackgroundRun(config, where.target, facts, store)
    failed = True
    try:
        yield run
        failed = False
    finally:
        run.close(exit_code=int(failed))


def _announce(config: TrackingConfig, facts: RunFacts, where: Destination) -> None:
    """Say where the run goes; a request that can't be met is a warning."""
    if where.problem:
        effect = (
            "is not tracked" if where.target == "disabled" else f"is written to {config.folder}"
        )
        warn(STAGE, f"{where.problem}; run {facts.name} {effect}")
    elif where.target != "disabled":
        report(STAGE, 1, 1, note=f"wandb {where.target} ({where.reason})")
