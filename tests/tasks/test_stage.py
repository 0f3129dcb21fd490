from pathlib import Path

import pytest
from prefect import flow

from fer_models.cleaning.config import CleaningConfig
from fer_models.errors import DataError, NotFoundError, StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.cache.results import results_in
from tasks.stage import FROM_CACHE, stage

pytestmark = pytest.mark.usefixtures("prefect_server")


def _ref(name: str) -> SnapshotRef:
    return ArtifactStore(StoreConfig(url="/store")).ref(SnapshotRef, name)


def test_a_second_run_uses_the_result_in_the_store(tmp_path: Path) -> None:
    calls: list[str] = []

    @stage("fer_models.cleaning.clean")
    def work(snapshot: SnapshotRef, config: CleaningConfig) -> SnapshotRef:
        calls.append(config.policy)
        return store.put(SnapshotRef, f"{snapshot.id}-{config.policy}", {}, {})

    store = ArtifactStore(StoreConfig(url=str(tmp_path / "a store")))

    @flow
    def chain(policy: str) -> SnapshotRef:
        with results_in(store.config):
            return work(_ref("raw"), CleaningConfig(policy=policy))  # type: ignore[arg-type]

    events: list[Progress] = []
    assert chain("off").id == "raw-off"
    with listening(events.append):
        again = chain("off")
    assert again == store.ref(SnapshotRef, "raw-off")
    assert calls == ["off"]
    assert events[-1].note == FROM_CACHE
    assert chain("strict").id == "raw-strict"
    assert calls == ["off", "strict"]


def _store_error(cause: Exception) -> StoreError:
    """A StoreError as the store raises it from `cause`."""
    try:
        raise StoreError("can't be used") from cause
    except StoreError as error:
        return error


@pytest.mark.parametrize(
    ("error", "expected_calls"),
    [
        (DataError("row 3: label 7"), 1),
        (ValueError("a bug"), 1),
        (_store_error(PermissionError(13, "denied")), 1),
        (_store_error(FileNotFoundError(2, "no such file")), 1),
        (_store_error(ConnectionError("no answer")), 2),
        (StoreError("no answer"), 2),
        (NotFoundError("no id starts with 'nope'"), 1),
        (OSError(5, "input/output error"), 2),
        (ConnectionResetError("connection reset"), 2),
    ],
)
def test_only_transient_errors_are_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected_calls: int
) -> None:
    calls: list[int] = []

    @stage("fer_models.cleaning.clean", retries=1)
    def work(number: int) -> int:
        calls.append(number)
        raise error

    without_delay = work.with_options(retry_delay_seconds=0)

    @flow
    def chain() -> int:
        with results_in(StoreConfig(url=str(tmp_path))):
            return without_delay(1)

    with pytest.raises(type(error)):
        chain()
    assert len(calls) == expected_calls


def test_a_task_function_runs_without_a_server() -> None:
    @stage("fer_models.cleaning.clean")
    def work(number: int) -> int:
        return number + 1

    assert work.fn(1) == 2
