"""Racing changes of the champion: one wins, the others know that they lost, nothing is lost."""

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.log import LostRaceError
from fer_models.storage.registry import CHAMPION, Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

RACERS = 4


def race(url: str, expected: RegistryEntry | None) -> list[str]:
    """Change the champion in several threads at once; the models that were not refused."""
    start = threading.Barrier(RACERS)

    def change(name: str) -> str | None:
        registry = Registry(ArtifactStore(StoreConfig(url=url)))
        start.wait()
        try:
            return registry.set(CHAMPION, name, "raced", expected=expected).model_id
        except LostRaceError:
            return None

    names = [uuid.uuid4().hex for _ in range(RACERS)]
    with ThreadPoolExecutor(RACERS) as threads:
        return [name for name in threads.map(change, names) if name is not None]


def run_races(url: str, count: int) -> list[list[str]]:
    """Races one after the other, each from the champion that the one before left."""
    registry = Registry(ArtifactStore(StoreConfig(url=url)))
    return [race(url, registry.current(CHAMPION)) for _ in range(count)]


def check(url: str, winners: Sequence[Sequence[str]]) -> None:
    assert [len(one) for one in winners] == [1] * len(winners)
    history = Registry(ArtifactStore(StoreConfig(url=url))).history()
    assert [[entry.model_id] for entry in history] == list(winners)
    assert [entry.previous_id for entry in history[1:]] == [
        entry.model_id for entry in history[:-1]
    ]


def test_thirty_races_in_a_folder_have_one_winner_each(store: ArtifactStore) -> None:
    check(store.url, run_races(store.url, 30))


@pytest.mark.s3
def test_races_in_a_bucket_have_one_winner_each(s3_store_url: str) -> None:
    check(s3_store_url, run_races(s3_store_url, 2))


@pytest.mark.slow
@pytest.mark.s3
def test_thirty_races_in_a_bucket_have_one_winner_each(s3_store_url: str) -> None:
    check(s3_store_url, run_races(s3_store_url, 30))


@pytest.mark.s3
@pytest.mark.parametrize("took_s", [0.0, 2.0])
def test_a_slow_server_is_given_more_time_to_settle(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch, took_s: float
) -> None:
    from fer_models.storage import log

    store = ArtifactStore(StoreConfig(url=s3_store_url))
    now, waits = [0.0], []
    create: Callable[[str, bytes], bool] = store.create_bytes

    def slow(key: str, data: bytes) -> bool:
        now[0] += took_s
        return create(key, data)

    monkeypatch.setattr(store, "create_bytes", slow)
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(log.time, "sleep", waits.append)
    Registry(store).set(CHAMPION, "first", "alone")
    assert waits == [8.0 if took_s else 0.5]
