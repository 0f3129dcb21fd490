"""One execution of a run: when, where, with which command, and how long each step took.

It is no part of a run's identity: a report that exists already keeps the facts of the execution
that wrote it.
"""

from pydantic import BaseModel, ConfigDict, Field


class StepTime(BaseModel):
    """One finished step of an execution."""

    model_config = ConfigDict(frozen=True)
    step: str = Field(description="Such as `split` or `train-compact_cnn`.")
    artifact: str = Field(default="", description="Id of the result; empty for none.")
    seconds: float | None = Field(
        description="Wall time of the work; of a cached step, of the execution that did it; None "
        "if unknown."
    )
    cached: bool = Field(default=False, description="Whether the result came from the cache.")
    ended_s: float = Field(description="End, in seconds since the epoch.")
    made_by: str = Field(
        default="", description="The execution that did the work of a cached step, if known."
    )


class Execution(BaseModel):
    """One execution of a flow, up to some moment."""

    model_config = ConfigDict(frozen=True)
    id: str = Field(description="Id of the record that the execution leaves.")
    flow: str = Field(default="", description="run-pipeline, retrain, ...")
    command: str = Field(default="", description="Command that does the same; empty for none.")
    started_s: float = Field(description="Start, in seconds since the epoch.")
    now_s: float = Field(description="The moment, in seconds since the epoch.")
    host: str = Field(default="", description="Name of the machine.")
    machine: dict[str, object] = Field(
        default={}, description="`processor`, `cores` and `gpus` (see `lineage.machine`)."
    )
    steps: tuple[StepTime, ...] = Field(default=(), description="Finished steps, in order.")

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return self.now_s - self.started_s
