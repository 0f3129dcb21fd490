"""Which network of the champion each member starts from."""

import json
from collections.abc import Sequence

import pytest

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.promotion.warm_start import explain_warm_starts, warm_starts
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig


def _member(name: str, network: str = "compact_cnn", width: float = 1.0) -> MemberConfig:
    return MemberConfig(name=name, network=NetworkConfig(name=network, width=width))


def _store(
    store: ArtifactStore, member: MemberConfig, classes: Sequence[str] = CLASS_NAMES
) -> ModelRef:
    return store.put(
        ModelRef,
        f"{member.name}-1",
        {
            "config.json": member.model_dump_json().encode(),
            "preprocessing.json": json.dumps({"classes": list(classes)}).encode(),
        },
        {"name": member.name, "kind": "network"},
        name=member.name,
    )


def _crown(store: ArtifactStore, *networks: ModelRef) -> None:
    """Make the network, or an ensemble of several, the champion."""
    if len(networks) == 1:
        Registry(store).set(CHAMPION, networks[0].id, "by a test")
        return
    members = [{"model_id": ref.id, "name": ref.name, "weight": 0.5} for ref in networks]
    files = {"members.json": json.dumps(members).encode()}
    facts = {"name": "soft_vote", "kind": "ensemble"}
    store.put(ModelRef, "soft_vote-1", files, facts, name="soft_vote", kind="ensemble")
    Registry(store).set(CHAMPION, "soft_vote-1", "by a test")


def test_members_of_an_ensemble_start_from_the_one_of_their_name(store: ArtifactStore) -> None:
    members = [_member("a"), _member("b")]
    first, second = (_store(store, member) for member in members)
    _crown(store, second, first)
    assert warm_starts(store, members, FER2013_CLASSES) == {"a": first, "b": second}


def test_another_name_starts_from_the_same_architecture(store: ArtifactStore) -> None:
    mlp, cnn = _store(store, _member("mlp", "scratch_mlp")), _store(store, _member("cnn"))
    _crown(store, mlp, cnn)
    assert warm_starts(store, [_member("renamed")], FER2013_CLASSES) == {"renamed": cnn}


@pytest.mark.parametrize(
    "stored", [_member("a", width=0.5), _member("a", "scratch_cnn")], ids=["width", "network"]
)
def test_another_architecture_starts_from_scratch(
    store: ArtifactStore, stored: MemberConfig
) -> None:
    _crown(store, _store(store, stored))
    assert warm_starts(store, [_member("a")], FER2013_CLASSES) == {}
    note = explain_warm_starts(store, [_member("a")], FER2013_CLASSES)["a"].note
    assert note.startswith("a: from scratch, a-1 is another network")


def test_other_classes_start_from_scratch(store: ArtifactStore) -> None:
    _crown(store, _store(store, _member("a"), CLASS_NAMES[::-1]))
    assert warm_starts(store, [_member("a")], FER2013_CLASSES) == {}


def test_without_a_usable_champion_all_start_from_scratch(store: ArtifactStore) -> None:
    assert warm_starts(store, [_member("a")], FER2013_CLASSES) == {}
    Registry(store).set(CHAMPION, "gone-1", "by a test")
    assert warm_starts(store, [_member("a")], FER2013_CLASSES) == {}
    assert (
        "no usable champion"
        in explain_warm_starts(store, [_member("a")], FER2013_CLASSES)["a"].note
    )


def test_dropout_and_pretraining_are_no_other_architecture(store: ArtifactStore) -> None:
    stored = _store(store, _member("a"))
    _crown(store, stored)
    network = NetworkConfig(name="compact_cnn", dropout=0.3)
    assert warm_starts(store, [MemberConfig(name="a", network=network)], FER2013_CLASSES) == {
        "a": stored
    }
