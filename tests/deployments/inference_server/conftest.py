"""A served network with random weights, pictures, and a client in the process."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.settings import ServingConfig
from deployments.inference_server.web.app import build_app
from fer_models.storage.config import StoreConfig
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.inference.builders import stored_network

TOKEN = "0123456789abcdef0123"
ORIGIN = "http://127.0.0.1"


def png(seed: int = 0, size: tuple[int, int] = (48, 48)) -> bytes:
    """A grey picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


@pytest.fixture(scope="session")
def champions(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """A store with two networks, of which the first is the champion."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("served") / "store")))
    first, _ = stored_network(store, seed=0), stored_network(store, seed=1)
    Registry(store).set("champion", first.id, "the first")
    return store


@pytest.fixture(scope="session")
def service(champions: ArtifactStore) -> Iterator[InferenceService]:
    """The first network."""
    with InferenceService("small-0", champions, ServingConfig()) as running:
        yield running


@pytest.fixture
def client(service: InferenceService) -> TestClient:
    """A client of the server, in this process."""
    return client_of(service)


def client_of(service: InferenceService, token: str | None = None) -> TestClient:
    """A client of a service on loopback."""
    app = build_app(service, ("127.0.0.1",), token)
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)


@pytest.fixture
def face_file(tmp_path: Path) -> Path:
    """A face of FER2013's size as a file."""
    path = tmp_path / "face.png"
    path.write_bytes(png())
    return path
