"""Tasks of a flow on a cluster; any open port is one, because these tasks do not use Ray."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prefect import flow

from fer_models.errors import ConfigError, DataError, TrainingError
from fer_models.remote.call import Place, _require_not_cancelled
from fer_models.remote.config import PlacementConfig
from fer_models.storage.config import StoreConfig
from tasks.cache.results import results_in
from tasks.side_by_side import results, side_by_side
from tasks.stage import stage

pytestmark = pytest.mark.usefixtures("prefect_server")
ENTRY = "fer_models.cleaning.clean"
WAIT_S = 120.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.delenv("FERFLOW_LOCAL", raising=False)
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        yield


@pytest.mark.usefixtures("cluster")
def test_members_run_at_the_same_time_and_students_after_their_teachers(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=WAIT_S)
    finished: list[str] = []

    @stage(ENTRY)
    def train(name: str, teachers: Sequence[str]) -> str:
        if not teachers:
            both.wait()  # fails unless both teachers run at once
        assert set(teachers) <= set(finished)
        finished.append(name)
        return name

    @flow
    def members() -> list[str]:
        with results_in(StoreConfig(url=str(tmp_path))), side_by_side() as start:
            first, second = start(train, "first", []), start(train, "second", [])
            return results([first, second, start(train, "student", [first, second])])

    assert members() == ["first", "second", "student"]


@pytest.mark.usefixtures("cluster")
def test_a_failure_cancels_the_other_members_at_once(tmp_path: Path) -> None:
    running = threading.Event()
    ends: list[str] = []

    @stage(ENTRY)
    def fail(name: str) -> str:
        assert running.wait(WAIT_S)
        raise DataError(f"{name}: no images")

    @stage(ENTRY)
    def wait_for_cancellation(name: str) -> str:
        running.set()
        place = Place(name, "placement", PlacementConfig())
        until_s = time.monotonic() + WAIT_S
        try:
            while time.monotonic() < until_s:
                _require_not_cancelled(place)
                time.sleep(0.05)
        except TrainingError as error:
            ends.append(str(error))
            raise
        return name

    @flow
    def members() -> list[str]:
        with results_in(StoreConfig(url=str(tmp_path))), side_by_side() as start:
            return results([start(wait_for_cancellation, "second"), start(fail, "first")])

    with pytest.raises(DataError, match="no images"):
        members()
    assert len(ends) == 1
    assert "cancelled" in ends[0]


def test_without_a_cluster_tasks_are_called_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    threads: list[threading.Thread] = []

    @stage(ENTRY)
    def train(name: str) -> str:
        threads.append(threading.current_thread())
        return name

    @flow
    def members() -> list[str]:
        with results_in(StoreConfig(url=str(tmp_path))), side_by_side() as start:
            first = start(train, "first")
            assert first == "first"
            return results([first, start(train, "second")])

    assert members() == ["first", "second"]
    assert threads == [threading.current_thread()] * 2


def test_a_dead_cluster_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")

    @flow
    def members() -> None:
        with side_by_side():
            raise AssertionError("started")

    with pytest.raises(ConfigError, match="no answer"):
        members()
