"""A snapshot and a promoted model, shared by the tests of this folder."""

import pytest

from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return build_snapshot(store, 560)


@pytest.fixture
def champion(store: ArtifactStore, snapshot: SnapshotRef) -> ModelRef:
    """A promoted model of medium accuracy."""
    model = build_model(store, snapshot, "champion", 2.0, 1)
    assert promote_candidate(store, snapshot, model, PromotionConfig()).promoted
    return model
