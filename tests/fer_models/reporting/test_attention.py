"""Heat maps of right and wrong answers, and a sentence where there are none."""

import base64
import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.evaluation.predictions import Predictions, read_predictions
from fer_models.models.config import NetworkConfig
from fer_models.reporting.attention import (
    HeatTile,
    confident_misses,
    heat_panel,
    overlay,
    typical_hits,
)
from fer_models.reporting.collect import RunFacts, strongest_network
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.inference.builders import MEMBER, stored_network
from tests.fer_models.reporting.builders import Shared


def pixels(source: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def answers(probs: list[list[float]], labels: list[int]) -> Predictions:
    return Predictions(np.arange(len(labels)), np.array(labels), np.array(probs))


def test_hits_are_typical_and_misses_the_most_confident() -> None:
    given = answers(
        [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.95, 0.05], [0.55, 0.45]],
        [0, 0, 0, 1, 1, 1],
    )
    assert typical_hits(given).tolist() == [2, 3]
    assert confident_misses(given).tolist() == [4, 5]


def test_an_overlay_leaves_cold_places_grey_and_colours_hot_ones() -> None:
    image = np.full((4, 4), 100, dtype=np.uint8)
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[0, 0] = 1
    shown = overlay(image, heat)
    assert shown[1, 1].tolist() == [100, 100, 100]
    assert shown[0, 0, 0] > shown[0, 0, 2] > shown[0, 0, 1]
    colour = np.repeat(image[..., None], 3, axis=2)
    assert np.array_equal(overlay(colour, heat), shown)


def opened(store: ArtifactStore, model_snapshot: str) -> DatasetSnapshot:
    return open_snapshot(store, store.ref(SnapshotRef, model_snapshot))


def test_a_stored_network_has_heat_maps_of_its_answers(store: ArtifactStore) -> None:
    model = stored_network(store)
    snapshot = opened(store, store.info(model)["snapshot_id"])
    predictions = read_predictions(store, snapshot, model)["validation"]
    panel = heat_panel(store, snapshot, model, predictions)
    assert (panel.network, panel.missing) == ("small", "")
    assert panel.wrong
    tile: HeatTile
    for tile in panel.right:
        assert tile.answer == tile.label
        assert tile.label_heat == ""
    for tile in panel.wrong:
        assert tile.answer != tile.label
        for source in (tile.answer_heat, tile.label_heat):
            assert pixels(source).shape == (*pixels(tile.face).shape[:2], 3)


def test_without_maps_weights_or_library_there_is_a_sentence(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = MemberConfig(name="flat", network=NetworkConfig(name="scratch_mlp", width=0.05))
    model = stored_network(store, member=flat)
    snapshot = opened(store, store.info(model)["snapshot_id"])
    predictions = read_predictions(store, snapshot, model)["validation"]
    assert "no spatial feature maps" in heat_panel(store, snapshot, model, predictions).missing
    bare = build_model(store, build_snapshot(store))
    assert "are not stored" in heat_panel(store, snapshot, bare, predictions).missing
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    network = stored_network(store, member=MEMBER)
    assert "can't be loaded" in heat_panel(store, snapshot, network, predictions).missing


def test_an_ensemble_is_explained_by_its_strongest_member(facts: RunFacts, shared: Shared) -> None:
    store = shared[0]
    assert facts.candidate.is_ensemble
    networks = {row.metrics.model_name: row for row in facts.rows if not row.is_ensemble}
    used = [networks[name] for name, _ in facts.candidate.weights] or list(networks.values())
    best = max(used, key=lambda row: row.metrics.splits["validation"].accuracy)
    assert strongest_network(store, facts.rows).id == best.metrics.model_id
    unweighted = [replace(row, weights=()) for row in facts.rows]
    everyone = max(networks.values(), key=lambda row: row.metrics.splits["validation"].accuracy)
    assert strongest_network(store, unweighted).id == everyone.metrics.model_id
