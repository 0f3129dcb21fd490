from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from fer_models.cleaning.config import CleaningConfig
from fer_models.errors import DataError, StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from tasks.cache.key import stage_key
from tasks.cache.results import results_in
from tasks.stage import FROM_CACHE, stage

pytestmark = pytest.mark.usefixtures("prefect_server")


def _ref(name: str) -> SnapshotRef:
    return SnapshotRef(id=name, url=f"file:///store/datasets/{name}")


def test_a_second_run_takes_the_result_from_the_store(tmp_path: Path) -> None:
    calls: list[str] = []

    @stage("fer_models.cleaning.clean")
    def work(snapshot: SnapshotRef, config: CleaningConfig) -> SnapshotRef:
        calls.append(config.policy)
        return _ref(f"{snapshot.id}-{config.policy}")

    @flow
    def chain(policy: str) -> SnapshotRef:
        with results_in(StoreConfig(url=str(tmp_path / "a store"))):
            return work(_ref("raw"), CleaningConfig(policy=policy))  # type: ignore[arg-type]

    heard: list[Progress] = []
    assert chain("off").id == "raw-off"
    with listening(heard.append):
        again = chain("off")
    assert again == _ref("raw-off")
    assert calls == ["off"]
    assert heard[-1].note == FROM_CACHE
    assert chain("strict").id == "raw-strict"
    assert calls == ["off", "strict"]


@pytest.mark.parametrize(
    ("error", "expected_calls"),
    [
        (DataError("row 3: label 7"), 1),
        (ValueError("a bug"), 1),
        (StoreError("no such artifact"), 2),
        (ConnectionResetError("the network hiccuped"), 2),
    ],
)
def test_only_what_may_pass_by_itself_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected_calls: int
) -> None:
    calls: list[int] = []

    @stage("fer_models.cleaning.clean", retries=1)
    def work(number: int) -> int:
        calls.append(number)
        raise error

    impatient = work.with_options(retry_delay_seconds=0)

    @flow
    def chain() -> int:
        with results_in(StoreConfig(url=str(tmp_path))):
            return impatient(1)

    with pytest.raises(type(error)):
        chain()
    assert len(calls) == expected_calls


def test_the_key_ignores_where_curves_are_logged_but_not_what_is_trained() -> None:
    def key(**parameters: Any) -> str:
        return stage_key("train", "fer_models.cleaning.clean", parameters)

    assert key(seed=1, tracking="offline") == key(seed=1, tracking="disabled")
    assert key(seed=1) != key(seed=2)
    assert key(models=[_ref("a"), _ref("b")]) != key(models=[_ref("b"), _ref("a")])


def test_a_task_runs_without_a_server_when_its_function_is_called(tmp_path: Path) -> None:
    @stage("fer_models.cleaning.clean")
    def work(number: int) -> int:
        return number + 1

    assert work.fn(1) == 2
