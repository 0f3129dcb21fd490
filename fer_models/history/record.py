"""The record of one execution of a flow: settings, artifacts, figures and outcome."""

import datetime as dt
import re
import secrets
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fer_models.reporting.execution import StepTime

State = Literal["completed", "not-promoted", "skipped", "failed", "cancelled"]
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_RANDOM_BYTES = 3


class RunArtifacts(BaseModel):
    """The ids of the artifacts that a run made or took from the cache; None for those it lacks."""

    model_config = ConfigDict(frozen=True)
    snapshots: dict[str, str] = Field(
        default={}, description="Snapshot by the step that made it: ingest, clean, split."
    )
    scores: str | None = Field(default=None, description="Label scores.")
    validation: str | None = Field(default=None, description="Result of the data gate.")
    exploration: str | None = Field(default=None, description="Page about the dataset.")
    tuning: str | None = Field(default=None, description="Hyper-parameter search.")
    models: dict[str, str] = Field(default={}, description="Model by member.")
    ensembles: dict[str, str] = Field(default={}, description="Ensemble by its name.")
    ensemble: str | None = Field(default=None, description="Choice of the candidate.")
    evaluations: tuple[str, ...] = Field(default=(), description="Metrics of the models.")
    final_fit: str | None = Field(default=None, description="Candidate trained on more images.")
    promotion: str | None = Field(default=None, description="Decision about the candidate.")
    report: str | None = Field(default=None, description="Report page and lineage.")

    @property
    def snapshot(self) -> str | None:
        """The last snapshot: the split one, else the cleaned one, else the raw one."""
        steps = ("split", "clean", "ingest")
        return next((self.snapshots[step] for step in steps if step in self.snapshots), None)


class Headline(BaseModel):
    """The accuracy of the candidate (0..1) with its interval, on n images of a split."""

    model_config = ConfigDict(frozen=True)
    candidate: str
    split: str
    n: int
    accuracy: float
    low: float
    high: float


class RunRecord(BaseModel):
    """One execution. Times are seconds since the epoch; fields of newer versions are ignored.

    Built by `record_of`, stored by `record_run`.
    """

    model_config = ConfigDict(frozen=True)
    id: str = Field(min_length=1, description="Sortable by start, unique in its store.")
    name: str = Field(default="", description="Name of the run; by default that of its recipe.")
    recipe: str = Field(default="", description="Recipe that the run started from.")
    flow: str = Field(default="", description="run-pipeline, retrain, prepare-data, ...")
    trigger: str = Field(default="", description="cli, manual, schedule, ...")
    data: tuple[str, ...] = Field(default=(), description="Sources of the images.")
    seed: int | None = Field(default=None, description="Random seed.")
    overrides: tuple[str, ...] = Field(default=(), description="Settings given as PATH=VALUE.")
    flow_run_id: str | None = Field(default=None, description="Id of Prefect's flow run.")
    started_s: float | None = None
    ended_s: float | None = None
    state: State
    message: str = Field(default="", description="Reason of the outcome, or the error.")
    artifacts: RunArtifacts = RunArtifacts()
    config: dict[str, Any] = Field(default={}, description="All settings.")
    headline: Headline | None = None
    promoted: bool | None = Field(default=None, description="None if the gate judged nothing.")
    host: str = ""
    hardware: str = ""
    revision: str = Field(default="", description="Version and git revision of ferflow.")
    steps: tuple[StepTime, ...] = Field(default=(), description="Finished steps, with durations.")
    recorded: bool = Field(
        default=True, description="False: put together from a report, without a record."
    )

    @property
    def candidate(self) -> str | None:
        """The id of the candidate; None if none was evaluated."""
        return self.headline.candidate if self.headline else None

    @property
    def seconds(self) -> float | None:
        """Duration; None if a time is unknown."""
        if self.started_s is None or self.ended_s is None:
            return None
        return self.ended_s - self.started_s


def new_run_id(started_s: float) -> str:
    """A new id, sortable by its time in UTC.

    Example:
        new_run_id(time.time())  # "20261128T051204Z-ab12cd"
    """
    moment = dt.datetime.fromtimestamp(started_s, tz=dt.UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(_RANDOM_BYTES)}"
