"""The served model follows the champion; a broken one never takes over."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deployments.inference_server.models.following import CurrentModel
from deployments.inference_server.models.served import ServedModel, load_model
from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.settings import ServingConfig
from fer_models.errors import StoreError
from fer_models.faces import familiarity
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore
from tests.deployments.inference_server.conftest import client_of, png
from tests.fer_models.inference.builders import stored_network

Following = Callable[[str], CurrentModel]


@pytest.fixture
def registry(store: ArtifactStore) -> Registry:
    stored_network(store, seed=0)
    stored_network(store, seed=1)
    registry = Registry(store)
    registry.set("champion", "small-0", "the first")
    return registry


def _load(store: ArtifactStore) -> Callable[[str], ServedModel]:
    return lambda name: load_model(name, store)


def _following(store: ArtifactStore) -> CurrentModel:
    return CurrentModel("champion", store, _load(store), poll_s=3600)


def test_promotion_and_rollback_are_served(store: ArtifactStore, registry: Registry) -> None:
    current = _following(store)
    served = [current.get().model.name]
    for model in ("small-1", "small-0"):
        registry.set("champion", model, "by hand")
        current.check()
        served.append(current.get().model.name)
    assert served == ["small-0", "small-1", "small-0"]
    assert current.problem() is None


def test_a_broken_champion_leaves_the_old_one_and_says_so(
    store: ArtifactStore, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    current = _following(store)
    broken = Path(store.url.removeprefix("file://"), "models", "small-1", "weights.safetensors")
    broken.chmod(0o644)
    broken.write_bytes(b"damaged")
    registry.set("champion", "small-1", "damaged")
    with caplog.at_level(logging.ERROR):
        current.check()
        current.check()  # not tried again at once
    assert current.get().model.name == "small-0"
    problem = current.problem()
    assert problem is not None
    assert (problem["model"], problem["serving"]) == ("small-1", "small-0")
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the new champion small-1 can't be used, small-0 stays"
    ]
    registry.set("champion", "small-0", "rolled back")
    current.check()
    assert current.problem() is None


def test_an_unreadable_registry_leaves_the_model(
    store: ArtifactStore, registry: Registry, tmp_path: Path
) -> None:
    current = _following(store)
    registry.set("champion", "small-1", "unseen")
    [*_, last] = sorted((tmp_path / "store" / "registry" / "log").iterdir())
    last.chmod(0o644)
    last.write_text("damaged")
    current.check()
    problem = current.problem()
    assert problem is not None
    assert problem["model"] is None
    assert "registry entry" in problem["error"]
    assert current.get().model.name == "small-0"


def test_a_model_is_served_without_unfamiliarity_if_its_training_data_are_damaged(
    store: ArtifactStore,
    registry: Registry,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(familiarity, "MIN_FACES", 100)
    assert load_model("small-0", store).model.unfamiliarity is not None
    for file in Path(store.url.removeprefix("file://"), "datasets").rglob("*.npy"):
        file.chmod(0o644)
        file.write_bytes(b"damaged")
    with InferenceService("small-0", store, ServingConfig()) as service:
        client = client_of(service)
        answer = client.post("/predict?faces=crop", files={"pictures": ("a.png", png())})
        assert answer.status_code == 200, answer.text
        assert client.get("/model").json()["unfamiliarity"] is False
    assert "the unfamiliarity of faces is unknown" in caplog.text


def test_a_model_of_too_few_training_images_says_that_it_knows_no_unfamiliarity(
    store: ArtifactStore, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO),
        InferenceService("small-0", store, ServingConfig()) as service,
    ):
        client = client_of(service)
        answer = client.post("/predict?faces=crop", files={"pictures": ("a.png", png())}).json()
        assert answer["pictures"][0]["faces"][0]["unfamiliarity"] is None
        assert client.get("/model").json()["unfamiliarity"] is False
    assert "fewer than 500" in caplog.text


def test_without_a_champion_the_message_says_what_to_do(store: ArtifactStore) -> None:
    with pytest.raises(StoreError, match="there is no champion yet; run the pipeline"):
        _following(store)


def test_a_promotion_under_load_loses_no_request(store: ArtifactStore, registry: Registry) -> None:
    config = ServingConfig(poll_s=0.05)
    with InferenceService("champion", store, config) as service:
        client = client_of(service)
        models: list[str] = []
        failed: list[int] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                files = {"pictures": ("a.png", png())}
                answer = client.post("/predict?faces=crop", files=files)
                if answer.status_code == 200:
                    models.append(answer.json()["model"])
                else:
                    failed.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        registry.set("champion", "small-1", "better")
        _wait_for(client, "small-1")
        before = len(models)
        registry.set("champion", "small-0", "rolled back")
        _wait_for(client, "small-0")
        done.set()
        for thread in threads:
            thread.join(60)
    assert not failed
    assert before > 0
    assert {"small-0", "small-1"} == set(models)


def _wait_for(client: TestClient, model: str) -> None:
    for _ in range(1200):
        if client.get("/health").json()["model"] == model:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{model} was not served")
