"""Stored combinations: what they predict, and what is rejected."""

import json

import numpy as np
import pytest

from fer_models.combination.rules import MajorityRule, MeanRule
from fer_models.combination.stored import (
    COMBINATION_FILE,
    MEMBERS_FILE,
    Combination,
    StoredMember,
    combination_files,
    read_combination,
)
from fer_models.errors import StoreError
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

FILES = {"weights.safetensors": b"some weights"}


def put(store: ArtifactStore, name: str, files: dict[str, bytes]) -> ModelRef:
    return store.put(ModelRef, name, files, {}, name=name)


def members_of(store: ArtifactStore, *models: ModelRef) -> list[StoredMember]:
    shas = [store.describe(model).files["weights.safetensors"].sha256 for model in models]
    return [
        StoredMember(model_id=model.id, name=model.name, weights_sha256=sha)
        for model, sha in zip(models, shas, strict=True)
    ]


def test_a_combination_is_read_as_it_was_written(store: ArtifactStore) -> None:
    members = members_of(store, put(store, "a", FILES), put(store, "b", FILES))
    combination = Combination(method="any", rule=MeanRule(weights=(0.3, 0.7)), temperature=1.25)
    model = put(store, "ensemble", combination_files(combination, members))
    assert read_combination(store, model) == (combination, tuple(members))


def test_the_temperature_is_applied_to_the_combined_probabilities() -> None:
    probs_MNK = np.array([[[0.8, 0.2]], [[0.4, 0.6]]], dtype=np.float32)
    combination = Combination(method="any", rule=MeanRule(weights=(0.5, 0.5)), temperature=2)
    found = combination.predict(probs_MNK)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0] / found[0, 1], (0.6 / 0.4) ** 0.5, rtol=1e-6)


def test_missing_and_changed_members_are_reported_together(store: ArtifactStore) -> None:
    (first,) = members_of(store, put(store, "a", FILES))
    changed = first.model_copy(update={"weights_sha256": "0" * 64})
    missing = first.model_copy(update={"model_id": "gone"})
    combination = Combination(method="any", rule=MajorityRule(num_members=3), temperature=1)
    model = put(store, "ensemble", combination_files(combination, [changed, missing]))
    with pytest.raises(StoreError, match="build the ensemble again") as caught:
        read_combination(store, model)
    assert len(caught.value.problems) == 3
    assert "combines 3 members" in caught.value.problems[0]
    assert "expected 000000000000" in caught.value.problems[1]
    assert "gone is not in the store" in caught.value.problems[2]


def test_an_ensemble_of_an_older_version_is_rejected(store: ArtifactStore) -> None:
    files = {MEMBERS_FILE: json.dumps([{"model_id": "a", "name": "a", "weight": 1.0}]).encode()}
    with pytest.raises(StoreError, match="older version, so build it again"):
        read_combination(store, put(store, "old", files))


def test_a_combination_of_another_version_is_rejected(store: ArtifactStore) -> None:
    files = {COMBINATION_FILE: b'{"method": "x", "rule": {"kind": "new"}}', MEMBERS_FILE: b"[]"}
    with pytest.raises(StoreError, match="combination of this version"):
        read_combination(store, put(store, "new", files))
