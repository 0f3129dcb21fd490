import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tasks import training_slot as module
from tasks.training_slot import TrainingSlot, Waiting, take_training_slot, training_slot


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
from tasks.training_slot import TrainingSlot, Waiting
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
def test_a_slow_server_does_not_cost_the_slot_that_it_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.client.orchestration import PrefectClient

    grant = PrefectClient.increment_concurrency_slots_with_lease

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        granted = await grant(*args, **kwargs)
        await asyncio.sleep(2.5)
        return granted

    monkeypatch.setattr(PrefectClient, "increment_concurrency_slots_with_lease", slowly)
    announced = _Announced()
    slot = TrainingSlot(None, announced)
    slot.take()
    slot.release()
    assert not announced.began.is_set()


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_loses_the_race_for_a_slot_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = TrainingSlot(None, Waiting()), TrainingSlot(None, Waiting())
    first.take()
    monkeypatch.setattr(module, "_has_free_slot", lambda: True)
    assert not second._limit_free()
    first.release()
    assert second._limit_free()
    second.release()


def test_a_task_takes_the_slot_of_its_run_which_ends_with_the_run(tmp_path: Path) -> None:
    take_training_slot()  # outside a run: nothing to take
    with training_slot(TrainingSlot(tmp_path / "lock", Waiting())):
        assert _is_free(tmp_path / "lock")
        take_training_slot()
        assert not _is_free(tmp_path / "lock")
    assert _is_free(tmp_path / "lock")


def _is_free(lock_file: Path) -> bool:
    slot = TrainingSlot(lock_file, Waiting())
    try:
        return slot._lock_file_free()
    finally:
        slot.release()
