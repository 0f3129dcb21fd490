"""Artifact stores of both backends."""

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def any_store(request: pytest.FixtureRequest) -> ArtifactStore:
    """An empty artifact store, in a folder and in a bucket."""
    if request.param == "folder":
        store: ArtifactStore = request.getfixturevalue("store")
        return store
    return ArtifactStore(StoreConfig(url=request.getfixturevalue("s3_store_url")))
