"""A cached result counts only while what it refers to is in the store."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import flow

from fer_models.cleaning.config import CleaningConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tasks.cache.results import results_in
from tasks.stage import stage

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path / "store")))


@pytest.fixture
def train(store: ArtifactStore) -> Callable[[], list[int]]:
    """Call a task that stores two models; its calls so far."""
    calls: list[int] = []

    @stage("fer_models.cleaning.clean")
    def work(_: CleaningConfig) -> tuple[ModelRef, ...]:
        calls.append(1)
        return tuple(
            store.put(ModelRef, name, {"weights": b"1234", "metrics.json": b"{}"}, {}, name=name)
            for name in ("first", "second")
        )

    @flow
    def chain() -> None:
        with results_in(store.config):
            work(CleaningConfig())

    def run() -> list[int]:
        chain()
        return calls

    return run


def _model_file(store: ArtifactStore, name: str) -> Path:
    return store.local_root / "models" / "second" / name


def test_a_whole_result_is_used_again(train: Callable[[], list[int]]) -> None:
    assert len(train()) == 1
    assert len(train()) == 1


@pytest.mark.parametrize("damage", ["no description", "torn description", "no file", "short file"])
def test_what_is_missing_is_made_again(
    store: ArtifactStore, train: Callable[[], list[int]], damage: str
) -> None:
    train()
    weights, description = _model_file(store, "weights"), _model_file(store, "artifact.json")
    match damage:
        case "no description":
            description.unlink()
        case "torn description":
            description.write_text("{")
        case "no file":
            weights.unlink()
        case "short file":
            weights.write_bytes(b"12")
    assert len(train()) == 2
    assert weights.read_bytes() == b"1234"
    assert store.is_whole(store.ref(ModelRef, "second", name="second"))
    assert len(train()) == 2


@pytest.mark.parametrize("final_fit_id", [None, "a-model-final"])
def test_a_promotion_that_the_registry_lost_is_made_again(
    store: ArtifactStore, final_fit_id: str | None
) -> None:
    champion = final_fit_id or "a-model"

    @stage("fer_models.promotion.promote")
    def promote(snapshot: SnapshotRef) -> PromotionRef:
        Registry(store).set(CHAMPION, champion, f"trained on {snapshot.id}")
        return store.put(
            PromotionRef,
            "a-decision",
            {},
            {},
            promoted=True,
            candidate_id="a-model",
            champion_id=None,
            reason="the first",
            final_fit_id=final_fit_id,
        )

    @flow
    def chain() -> None:
        with results_in(store.config):
            promote(store.ref(SnapshotRef, "data"))

    chain()
    chain()
    assert len(Registry(store).history()) == 1
    store.remove_folder("registry")
    chain()
    assert [entry.model_id for entry in Registry(store).history()] == [champion]
    Registry(store).set(CHAMPION, "another", "rolled back by a person")
    chain()
    assert len(Registry(store).history()) == 3


def test_a_refusal_is_forgotten_when_a_person_promotes_the_candidate(store: ArtifactStore) -> None:
    judged: list[str] = []

    @stage("fer_models.promotion.promote")
    def promote(snapshot: SnapshotRef) -> PromotionRef:
        judged.append(snapshot.id)
        facts = {"candidate_id": "a-model", "champion_id": "another", "reason": "no better"}
        return store.put(PromotionRef, "a-decision", {}, {}, promoted=False, **facts)

    @flow
    def chain() -> None:
        with results_in(store.config):
            promote(store.ref(SnapshotRef, "data"))

    Registry(store).set(CHAMPION, "another", "the first")
    chain()
    chain()
    assert len(judged) == 1
    Registry(store).set(CHAMPION, "a-model", "promoted by a person")
    chain()
    assert len(judged) == 2
