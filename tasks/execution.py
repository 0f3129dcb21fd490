"""The execution that the current flow run is: which steps it finished, and how long each took."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from fer_models.errors import FerError
from fer_models.history.runs import list_runs
from fer_models.reporting.execution import Execution, StepTime
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

_MAX_EARLIER_RUNS = 100
_current: ContextVar["RunningExecution | None"] = ContextVar("ferflow_execution", default=None)


class RunningExecution:
    """Collects the finished steps of an execution; tasks of several threads may add to it."""

    def __init__(self, begun: Execution) -> None:
        """Args: `begun` are the facts at the start, without steps."""
        self._begun = begun
        self._steps: list[StepTime] = []
        self._guard = threading.Lock()

    @property
    def steps(self) -> tuple[StepTime, ...]:
        """The finished steps, in the order of their ends."""
        with self._guard:
            return tuple(self._steps)

    def add(self, step: StepTime) -> None:
        """Add a finished step."""
        with self._guard:
            self._steps.append(step)

    def until(self, now_s: float) -> Execution:
        """The execution up to a moment."""
        return self._begun.model_copy(update={"now_s": now_s, "steps": self.steps})


@contextmanager
def executing(execution: RunningExecution) -> Iterator[None]:
    """Make an execution the current one inside the block."""
    token = _current.set(execution)
    try:
        yield
    finally:
        _current.reset(token)


def note_step(
    step: str, result: Any, ended_s: float, seconds: float | None, *, cached: bool = False
) -> None:
    """Add a finished step to the current execution; a no-op without one."""
    execution = _current.get()
    if execution is None:
        return
    artifact = result.id if isinstance(result, ArtifactRef) else ""
    execution.add(
        StepTime(step=step, artifact=artifact, seconds=seconds, cached=cached, ended_s=ended_s)
    )


def step_name(task_name: str, parameters: Mapping[str, Any]) -> str:
    """The name of a task call: with that of its member or model, and its fold, if it has one.

    Example:
        step_name("train", {"member": member})  # "train-compact_cnn"
    """
    subject = parameters.get("member") or parameters.get("model")
    name = getattr(subject, "name", "")
    fold = f"-fold-{parameters['fold'] + 1}" if "fold" in parameters else ""
    return f"{task_name}-{name}{fold}" if name else f"{task_name}{fold}"


def execution_so_far(store: ArtifactStore, now_s: float) -> Execution | None:
    """The current execution, cached steps with the time that their work once took; None without.

    Args:
        store: its history has the executions that did the work of cached steps.
        now_s: now, in seconds since the epoch.
    """
    current = _current.get()
    if current is None:
        return None
    execution = current.until(now_s)
    if not any(step.cached for step in execution.steps):
        return execution
    worked = _work_of_earlier_runs(store)
    steps = tuple(
        worked.get((step.step, step.artifact), step) if step.cached else step
        for step in execution.steps
    )
    return execution.model_copy(update={"steps": steps})


def _work_of_earlier_runs(store: ArtifactStore) -> dict[tuple[str, str], StepTime]:
    """The steps that earlier runs did themselves, as cached ones, by name and result."""
    try:
        runs = list_runs(store, limit=_MAX_EARLIER_RUNS).runs
    except FerError:
        return {}
    return {
        (step.step, step.artifact): step.model_copy(update={"cached": True, "made_by": run.id})
        for run in reversed(runs)
        for step in run.steps
        if not step.cached and step.artifact
    }
