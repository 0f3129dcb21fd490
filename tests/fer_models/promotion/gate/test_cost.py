"""What a prediction costs: multiply-adds over members and views, parameters otherwise."""

import json

import pytest

from fer_models.models.config import NetworkConfig
from fer_models.models.summary import summarize
from fer_models.promotion.gate.cost import model_cost
from fer_models.promotion.gate.evidence import ModelCost
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig

SMALL = NetworkConfig(name="compact_cnn", width=0.25)
WIDE = NetworkConfig(name="compact_cnn", width=0.5)


def network(store: ArtifactStore, name: str, config: NetworkConfig, tta: str) -> ModelRef:
    member = MemberConfig(name=name, network=config, tta=tta)
    files = {
        "config.json": member.model_dump_json().encode(),
        "preprocessing.json": b"{}",
    }
    return store.put(ModelRef, name, files, {"parameters": 7}, name=name)


@pytest.mark.parametrize(("tta", "views"), [("none", 1), ("flip", 2), ("affine", 18)])
def test_every_view_of_an_image_costs(store: ArtifactStore, tta: str, views: int) -> None:
    cost = model_cost(store, network(store, "small", SMALL, tta))
    assert cost == ModelCost(7, views * summarize(SMALL).multiply_adds)


def test_an_ensemble_costs_what_its_members_cost(store: ArtifactStore) -> None:
    members = [network(store, "small", SMALL, "flip"), network(store, "wide", WIDE, "none")]
    listing = [{"model_id": one.id, "name": one.id} for one in members]
    files = {"members.json": json.dumps(listing).encode()}
    ensemble = store.put(
        ModelRef, "both", files, {"kind": "ensemble", "parameters": 14}, name="both"
    )
    expected = 2 * summarize(SMALL).multiply_adds + summarize(WIDE).multiply_adds
    assert model_cost(store, ensemble) == ModelCost(14, expected)


def test_a_network_that_this_version_does_not_know_has_no_multiply_adds(
    store: ArtifactStore,
) -> None:
    files = {
        "config.json": b'{"name": "old", "network": {"name": "gone_net"}}',
        "preprocessing.json": b"{}",
    }
    model = store.put(ModelRef, "old", files, {"parameters": 7}, name="old")
    assert model_cost(store, model) == ModelCost(7, None)
