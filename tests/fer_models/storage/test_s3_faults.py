"""An object store that throttles, is slow or stalls in the middle of the work."""

import threading
from collections.abc import Iterator

import pytest

from fer_models.errors import StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.s3 import patience
from fer_models.storage.store import ArtifactStore
from tests.faulty_server import Fault, faulty

pytestmark = [pytest.mark.s3, pytest.mark.timeout(300)]

_WEIGHTS = b"w" * 5000


@pytest.fixture
def behind_proxy(
    s3_store_url: str, s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ArtifactStore, Fault, str]]:
    with faulty(s3_environment["AWS_ENDPOINT_URL"]) as (endpoint, fault):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield ArtifactStore(StoreConfig(url=s3_store_url)), fault, endpoint


def _put(store: ArtifactStore) -> ModelRef:
    return store.put(ModelRef, "m", {"weights": _WEIGHTS}, {}, name="m")


def _read(store: ArtifactStore, ref: ModelRef) -> bytes:
    return store.read_file(ref, "weights")


def test_requests_that_are_refused_for_a_moment_are_repeated(
    behind_proxy: tuple[ArtifactStore, Fault, str],
) -> None:
    store, fault, _ = behind_proxy
    fault.refuses = lambda number: number % 2 == 1
    ref = _put(store)
    assert _read(store, ref) == _WEIGHTS
    assert store.list_ids(ModelRef) == [ref.id]
    assert fault.num_requests > 4


def test_a_store_that_refuses_everything_is_reported_with_what_to_do(
    behind_proxy: tuple[ArtifactStore, Fault, str],
) -> None:
    store, fault, endpoint = behind_proxy
    ref = _put(store)
    fault.refuses = lambda _: True
    with pytest.raises(StoreError, match="asks for fewer requests; run it again later") as caught:
        _read(store, ref)
    assert endpoint in str(caught.value)


def test_a_wait_for_a_store_that_stalls_is_announced_and_ends_with_it(
    behind_proxy: tuple[ArtifactStore, Fault, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, fault, endpoint = behind_proxy
    ref = _put(store)
    monkeypatch.setattr(patience, "SAID_AFTER_S", 0.3)
    fault.is_open.clear()
    said: list[Progress] = []

    def hear(progress: Progress) -> None:
        said.append(progress)
        fault.is_open.set()

    with listening(hear):
        assert _read(store, ref) == _WEIGHTS
    [warning] = said
    assert warning.is_warning
    assert f"no answer from {endpoint} yet" in warning.note
    assert store.url in warning.note


def test_a_store_that_answers_in_time_is_not_mentioned(
    behind_proxy: tuple[ArtifactStore, Fault, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, fault, _ = behind_proxy
    monkeypatch.setattr(patience, "SAID_AFTER_S", 30.0)
    fault.delay_s = 0.02
    said: list[Progress] = []
    before = threading.active_count()
    with listening(said.append):
        _put(store)
    assert not said
    assert threading.active_count() <= before + 2  # the proxy's own, kept alive
