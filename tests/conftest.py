"""Fixtures that all tests share."""

from pathlib import Path

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty artifact store in a folder of this test."""
    return ArtifactStore(StoreConfig(url=str(tmp_path / "store")))
