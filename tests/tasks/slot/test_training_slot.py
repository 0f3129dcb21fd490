import contextvars
import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed, Scheduled

from fer_models.processes import process_tag
from fer_models.progress import Progress, listening
from tasks.slot import lease
from tasks.slot import training_slot as module
from tasks.slot.lease import leased_slot
from tasks.slot.training_slot import (
    TrainingSlot,
    Waiting,
    release_training_slot,
    take_training_slot,
    training_slot,
)


class _Announced(Waiting):
    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended = threading.Event()

    def __enter__(self) -> None:
        self.began.set()

    def __exit__(self, *_: object) -> None:
        self.ended.set()


def _second_takes_it_only_after_the_first(
    first: TrainingSlot, second: TrainingSlot, announced: _Announced
) -> None:
    first.take()
    first.take()  # the other tasks of the same run
    thread = threading.Thread(target=second.take)
    thread.start()
    assert announced.began.wait(30)
    assert not announced.ended.is_set()
    first.release()
    assert announced.ended.wait(60)
    thread.join()
    second.release()


def test_a_run_without_a_server_waits_for_the_lock_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.02)
    announced = _Announced()
    slots = [TrainingSlot(tmp_path / "lock", a) for a in (Waiting(), announced)]
    _second_takes_it_only_after_the_first(*slots, announced)


def test_the_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from tasks.slot.training_slot import TrainingSlot, Waiting
TrainingSlot(pathlib.Path({str(tmp_path / "lock")!r}), Waiting()).take()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert _is_free(tmp_path / "lock")


@pytest.mark.usefixtures("prefect_server")
def test_runs_on_a_server_share_one_global_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.02)
    announced = _Announced()
    slots = [TrainingSlot(None, a) for a in (Waiting(), announced)]
    _second_takes_it_only_after_the_first(*slots, announced)


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_waits_says_so_in_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.02)
    lines: list[Progress] = []
    with leased_slot() as is_taken:
        assert is_taken
        slot = TrainingSlot(None, _Announced())
        waiting = threading.Thread(target=contextvars.copy_context().run, args=(_take, slot, lines))
        waiting.start()
        _until(lambda: lines)
    waiting.join(60)
    slot.release()
    assert [(line.stage, line.note.partition(":")[0]) for line in lines] == [
        ("tune", "waiting"),
        ("tune", "no longer waiting"),
    ]


@pytest.mark.usefixtures("prefect_server")
def test_the_slot_of_a_killed_run_is_free_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[UUID] = []

    @flow
    def run_that_is_killed() -> None:
        killed.append(_lease_without_renewal())

    run_that_is_killed()
    _set_last_run(Crashed())
    module.release_slots_of_killed_runs()
    assert not _is_slot_free()  # its process is this one, and lives
    monkeypatch.setattr(lease, "is_dead", lambda tag: tag == process_tag())
    slot = TrainingSlot(None, Waiting())
    monkeypatch.setattr(module, "_RETRY_S", 0.02)
    slot.take()
    slot.release()


@pytest.mark.usefixtures("prefect_server")
def test_many_scheduled_runs_do_not_hide_a_killed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    @flow
    def run_that_is_killed() -> None:
        _lease_without_renewal()

    run_that_is_killed()
    _set_last_run(Crashed())
    monkeypatch.setattr(lease, "_NUM_RECENT_RUNS", 2)
    monkeypatch.setattr(lease, "is_dead", lambda tag: tag == process_tag())
    with get_client(sync_client=True) as client:
        tomorrow = dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=1)
        for _ in range(2):
            client.create_flow_run(run_that_is_killed, state=Scheduled(scheduled_time=tomorrow))
    assert not _is_slot_free()
    module.release_slots_of_killed_runs()
    assert _is_slot_free()


@pytest.mark.usefixtures("prefect_server")
def test_a_slot_that_is_held_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[UUID] = []
    monkeypatch.setattr(lease, "_RENEW_S", 0.05)
    monkeypatch.setattr(
        SyncPrefectClient, "renew_concurrency_lease", lambda _, one, _s: renewed.append(one)
    )
    with leased_slot():
        _until(lambda: len(renewed) > 1)
    assert len(set(renewed)) == 1
    assert _is_slot_free()


@pytest.mark.usefixtures("prefect_server")
def test_a_lease_that_ended_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    leases: list[UUID | None] = []
    granted = lease._granted

    def noted() -> UUID | None:
        leases.append(granted())
        return leases[-1]

    monkeypatch.setattr(lease, "_RENEW_S", 0.05)
    monkeypatch.setattr(lease, "_granted", noted)
    with leased_slot(), get_client(sync_client=True) as client:
        [first] = leases
        assert first is not None
        # As the server does with one that nobody renewed.
        client.release_concurrency_slots_with_lease(first)
        _until(lambda: any(other != first for other in leases))
        monkeypatch.setattr(lease, "_granted", granted)
        assert not _is_slot_free()
    assert _is_slot_free()


@pytest.mark.usefixtures("prefect_server")
def test_a_server_that_is_lost_does_not_end_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UUID] = []

    def lost(_: SyncPrefectClient, lease_id: UUID, _s: float) -> None:
        asked.append(lease_id)
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(lease, "_RENEW_S", 0.05)
    monkeypatch.setattr(SyncPrefectClient, "renew_concurrency_lease", lost)
    with leased_slot() as is_taken:
        assert is_taken
        _until(lambda: len(asked) > 1)


def test_a_task_takes_the_slot_of_its_run_which_ends_with_the_run(tmp_path: Path) -> None:
    take_training_slot("train")  # outside a run: nothing to take
    with training_slot(TrainingSlot(tmp_path / "lock", Waiting())):
        assert _is_free(tmp_path / "lock")
        take_training_slot("train")
        assert not _is_free(tmp_path / "lock")
    assert _is_free(tmp_path / "lock")


@pytest.mark.usefixtures("prefect_server")
def test_a_released_slot_is_free_for_others_and_taken_again_by_the_next_training() -> None:
    release_training_slot()  # outside a run: nothing to release
    with training_slot(TrainingSlot(None, Waiting())):
        release_training_slot()  # not taken yet
        for _ in range(2):
            take_training_slot("score")
            assert not _is_slot_free()
            release_training_slot()
            assert _is_slot_free()


def _is_free(lock_file: Path) -> bool:
    slot = TrainingSlot(lock_file, Waiting())
    try:
        return slot._is_free()
    finally:
        slot.release()


def _take(slot: TrainingSlot, lines: list[Progress]) -> None:
    with listening(lines.append):
        slot.take("tune")


def _until(condition: Callable[[], object]) -> None:
    until_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def _is_slot_free() -> bool:
    with leased_slot() as is_taken:
        return is_taken


def _lease_without_renewal() -> UUID:
    """What a killed process leaves: a slot that nobody renews, and a label on its flow run."""
    lease_id = lease._granted()
    assert lease_id is not None
    lease._note_on_flow_run(lease_id)
    return lease_id


def _set_last_run(state: "State[Any]") -> None:
    with get_client(sync_client=True) as client:
        [run] = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
        client.set_flow_run_state(run.id, state, force=True)
