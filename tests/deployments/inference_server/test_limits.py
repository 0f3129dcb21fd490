"""Too much is refused in time, with what to do and when to come back; never with 500."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from deployments.inference_server.models.served import ServedModel
from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.settings import ServingConfig
from deployments.inference_server.web.intake import RateLimit
from deployments.inference_server.web.problems import RequestError
from fer_models.dataset.snapshot import Images
from fer_models.errors import FerError, StoreError
from fer_models.inference.expression_model import ExpressionModel, Probabilities
from tests.deployments.inference_server.conftest import client_of, png

_FILES = {"pictures": ("a.png", png())}


class _SlowModel:
    """Predicts when `go` is set."""

    def __init__(self) -> None:
        self.go, self.busy = threading.Event(), threading.Event()

    def load(self, name: str) -> ServedModel:
        return ServedModel(ExpressionModel(name, ("a", "b"), self._predict), None, 0.0)

    def _predict(self, images: Images) -> Probabilities:
        self.busy.set()
        assert self.go.wait(60)
        return np.full((len(images), 2), 0.5, np.float32)


def _service(config: ServingConfig, model: _SlowModel) -> InferenceService:
    return InferenceService("slow", None, config, load=model.load)


@pytest.fixture
def model() -> Iterator[_SlowModel]:
    model = _SlowModel()
    yield model
    model.go.set()


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_body_mb": 0.001}, "too_large"),
        ({"max_pictures": 1}, "too_many_pictures"),
        ({"max_megapixels": 0.002}, "too_many_pixels"),
    ],
)
def test_too_much_in_a_request_is_413_and_names_the_option_that_raises_the_limit(
    model: _SlowModel, limits: dict[str, Any], code: str
) -> None:
    model.go.set()
    option = f"--{next(iter(limits)).replace('_', '-')}"
    files = [("pictures", ("a.png", png())), ("pictures", ("b.png", png(1)))]
    with _service(ServingConfig(**limits), model) as service:
        answer = client_of(service).post("/predict?faces=crop", files=files)
        assert (answer.status_code, answer.json()["code"]) == (413, code)
        assert option in answer.json()["remedy"]
    raised = ServingConfig(**dict.fromkeys(limits, 10))
    with _service(raised, model) as service:
        assert client_of(service).post("/predict?faces=crop", files=files).status_code == 200


def test_a_body_without_a_length_is_cut_at_the_limit(model: _SlowModel) -> None:
    with _service(ServingConfig(max_body_mb=0.001), model) as service:
        chunks = iter([png()[:900], png()[900:1800], png()[1800:]])
        answer = client_of(service).post(
            "/predict", content=chunks, headers={"Content-Type": "image/png"}
        )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_full_queue_is_503_with_retry_after_and_loses_nobody(model: _SlowModel) -> None:
    with _service(ServingConfig(max_waiting=1), model) as service:
        client = client_of(service)
        with _asking(client) as first:
            assert model.busy.wait(60)
            with _asking(client) as second:
                _wait_for_queue(service)
                full = client.post("/predict?faces=crop", files=_FILES)
                assert client.get("/health/ready").status_code == 503
                model.go.set()
        assert (full.status_code, full.json()["code"]) == (503, "queue_full")
        assert int(full.headers["Retry-After"]) >= 1
        assert first + second == [200, 200]
        assert client.get("/health/ready").status_code == 200
        assert 'ferflow_rejected_total{code="queue_full"} 2.0' in client.get("/metrics").text


def test_bodies_beyond_the_memory_are_503_with_retry_after(model: _SlowModel) -> None:
    with _service(ServingConfig(max_body_mb=0.004, max_memory_mb=0.004), model) as service:
        client = client_of(service)
        with _asking(client) as first:
            assert model.busy.wait(60)
            answer = client.post("/predict?faces=crop", files=_FILES)
            model.go.set()
        assert (answer.status_code, answer.json()["code"]) == (503, "memory_full")
        assert int(answer.headers["Retry-After"]) >= 1
        assert first == [200]
        assert client.post("/predict?faces=crop", files=_FILES).status_code == 200


@contextmanager
def _asking(client: TestClient) -> Iterator[list[int]]:
    """Requests in the background during the block; their statuses after it."""
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(client.post("/predict?faces=crop", files=_FILES).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    yield statuses
    thread.join(60)


def _wait_for_queue(service: InferenceService) -> None:
    for _ in range(1200):
        if service.waiting:
            return
        threading.Event().wait(0.05)
    raise AssertionError("nothing waits")


def test_a_request_that_waits_too_long_is_504_and_not_predicted(model: _SlowModel) -> None:
    with _service(ServingConfig(timeout_s=0.3), model) as service:
        answer = client_of(service).post("/predict?faces=crop", files=_FILES)
        model.go.set()
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


def test_a_client_may_send_so_many_requests_a_second(model: _SlowModel) -> None:
    model.go.set()
    with _service(ServingConfig(rate_per_s=1), model) as service:
        client = client_of(service)
        answers = [client.post("/predict?faces=crop", files=_FILES) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["code"] == "too_many_requests"
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert client.get("/health").status_code == 200


def test_the_rate_is_for_each_client_and_comes_back() -> None:
    limit = RateLimit(2.0)
    for _ in range(4):
        limit.check("a", now_s=0)
    with pytest.raises(RequestError):
        limit.check("a", now_s=0)
    limit.check("b", now_s=0)
    limit.check("a", now_s=0.5)
    with pytest.raises(RequestError):
        limit.check("a", now_s=0.5)


@pytest.mark.parametrize("kind", [RuntimeError, StoreError, FerError])
def test_a_fault_of_the_server_says_nothing_of_its_inside(kind: type[Exception]) -> None:
    def fail(images: Images) -> Probabilities:
        raise kind("secret place")

    broken = ServedModel(ExpressionModel("m", ("a", "b"), fail), None, 0.0)
    with InferenceService("m", None, ServingConfig(), load=lambda _: broken) as service:
        answer = client_of(service).post("/predict?faces=crop", files=_FILES)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
