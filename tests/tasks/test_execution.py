"""The steps of an execution with their times; cached ones keep the time of their work."""

from fer_models.history.record import RunRecord
from fer_models.history.runs import record_run
from fer_models.reporting.execution import Execution, StepTime
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tasks.execution import (
    RunningExecution,
    executing,
    execution_so_far,
    note_step,
    step_name,
)


def begun() -> RunningExecution:
    return RunningExecution(Execution(id="now", started_s=100.0, now_s=100.0))


def test_steps_are_collected_while_the_execution_is_current(store: ArtifactStore) -> None:
    ref = store.ref(SnapshotRef, "abc")
    note_step("before", ref, 99.0, 1.0)
    running = begun()
    with executing(running):
        note_step("split", ref, 101.0, 0.5)
        note_step("gate", None, 102.0, 0.1)
        execution = execution_so_far(store, 110.0)
    assert execution is not None
    assert [(one.step, one.artifact) for one in execution.steps] == [("split", "abc"), ("gate", "")]
    assert execution.seconds == 10
    assert running.steps == execution.steps
    assert execution_so_far(store, 110.0) is None


def test_a_cached_step_has_the_time_of_the_run_that_did_the_work(store: ArtifactStore) -> None:
    done = StepTime(step="split", artifact="abc", seconds=42.0, ended_s=1.0)
    other = StepTime(step="split", artifact="xyz", seconds=7.0, ended_s=1.0)
    first, second = "20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"
    record_run(store, RunRecord(id=first, state="completed", steps=(done, other)))
    again = done.model_copy(update={"cached": True, "seconds": None})
    record_run(store, RunRecord(id=second, state="completed", steps=(again,)))
    with executing(begun()):
        note_step("split", store.ref(SnapshotRef, "abc"), 101.0, None, cached=True)
        note_step("clean", store.ref(SnapshotRef, "new"), 101.0, None, cached=True)
        execution = execution_so_far(store, 110.0)
    assert execution is not None
    split, clean = execution.steps
    assert (split.cached, split.seconds, split.made_by) == (True, 42.0, first)
    assert (clean.cached, clean.seconds, clean.made_by) == (True, None, "")


def test_steps_about_a_member_carry_its_name() -> None:
    assert step_name("train", {"member": MemberConfig(name="wide")}) == "train-wide"
    assert step_name("train_fold", {"model": None, "fold": 0}) == "train_fold-fold-1"
    assert step_name("split", {"snapshot": object()}) == "split"
