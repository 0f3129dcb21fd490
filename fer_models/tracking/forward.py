"""Tracking of work on another node: what is tracked is sent to the driver, which writes the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.remote.worker import send_event
from fer_models.storage.refs import ArtifactRef
from fer_models.tracking.artifacts import Relation
from fer_models.tracking.config import TrackingConfig


@dataclass(frozen=True)
class RunStarted:
    """A node began to track a run; after a loss another node begins it again."""

    config: TrackingConfig
    name: str
    run_config: Mapping[str, Any]
    job_type: str = ""


@dataclass(frozen=True)
class Metrics:
    """The metrics of one step."""

    metrics: Mapping[str, float]
    step: int


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix K x K of the K classes."""

    counts_KK: npt.NDArray[np.int64]
    classes: Sequence[str]


@dataclass(frozen=True)
class Logged:
    """An artifact that the run used or made."""

    ref: ArtifactRef
    relation: Relation


class ForwardingTracker:
    """Sends what is tracked to the driver, see `Tracker`."""

    def __init__(self, started: RunStarted) -> None:
        send_event(started)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See `Tracker`."""
        send_event(Metrics(dict(metrics), step))

    def log_confusion(self, counts_KK: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
        """See `Tracker`."""
        send_event(Confusion(counts_KK, classes))

    def used(self, ref: ArtifactRef) -> None:
        """See `Tracker`."""
        send_event(Logged(ref, "used"))

    def made(self, ref: ArtifactRef) -> None:
        """See `Tracker`."""
        send_event(Logged(ref, "made"))
