from pathlib import Path

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path)))
