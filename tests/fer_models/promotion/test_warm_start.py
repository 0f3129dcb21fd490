"""Which network of the champion each member starts from."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from fer_models.dataset.snapshot import (
    DatasetSnapshot,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.promotion.warm_start import explain_warm_starts, warm_starts
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tests.fer_models.builders import build_snapshot


def _member(name: str, network: str = "compact_cnn", width: float = 1.0) -> MemberConfig:
    return MemberConfig(name=name, network=NetworkConfig(name=network, width=width))


def _store(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    classes: Sequence[str] = CLASS_NAMES,
    **lineage: object,
) -> ModelRef:
    """A network that was trained on a snapshot; `lineage` says what else its weights come from."""
    return store.put(
        ModelRef,
        f"{member.name}-1",
        {
            "config.json": member.model_dump_json().encode(),
            "preprocessing.json": json.dumps({"classes": list(classes)}).encode(),
            "lineage.json": json.dumps({"initial": None, **lineage}).encode(),
        },
        {"name": member.name, "kind": "network", "snapshot_id": snapshot.id},
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


def test_members_of_an_ensemble_start_from_the_one_of_their_name(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    members = [_member("a"), _member("b")]
    first, second = (_store(store, snapshot, member) for member in members)
    _crown(store, second, first)
    assert warm_starts(store, members, snapshot) == {"a": first, "b": second}


def test_another_name_starts_from_the_same_architecture(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    mlp, cnn = (
        _store(store, snapshot, _member("mlp", "scratch_mlp")),
        _store(store, snapshot, _member("cnn")),
    )
    _crown(store, mlp, cnn)
    assert warm_starts(store, [_member("renamed")], snapshot) == {"renamed": cnn}


@pytest.mark.parametrize(
    "stored", [_member("a", width=0.5), _member("a", "scratch_cnn")], ids=["width", "network"]
)
def test_another_architecture_starts_from_scratch(
    store: ArtifactStore, snapshot: SnapshotRef, stored: MemberConfig
) -> None:
    _crown(store, _store(store, snapshot, stored))
    assert warm_starts(store, [_member("a")], snapshot) == {}
    note = explain_warm_starts(store, [_member("a")], snapshot)["a"].note
    assert note.startswith("a: from scratch, a-1 is another network")


def test_other_classes_start_from_scratch(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    _crown(store, _store(store, snapshot, _member("a"), CLASS_NAMES[::-1]))
    assert warm_starts(store, [_member("a")], snapshot) == {}


def test_without_a_usable_champion_all_start_from_scratch(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    assert warm_starts(store, [_member("a")], snapshot) == {}
    Registry(store).set(CHAMPION, "gone-1", "by a test")
    assert warm_starts(store, [_member("a")], snapshot) == {}
    assert "no usable champion" in explain_warm_starts(store, [_member("a")], snapshot)["a"].note


def test_dropout_and_pretraining_are_no_other_architecture(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    stored = _store(store, snapshot, _member("a"))
    _crown(store, stored)
    network = NetworkConfig(name="compact_cnn", dropout=0.3)
    assert warm_starts(store, [MemberConfig(name="a", network=network)], snapshot) == {"a": stored}


def _redrawn(store: ArtifactStore, snapshot: SnapshotRef, *splits: str) -> tuple[SnapshotRef, int]:
    """The snapshot after its images changed places, and how many held-out ones were in `splits`."""
    before = open_snapshot(store, snapshot)
    manifest = before.manifest.copy()
    kept = (manifest["status"] == "kept").to_numpy()
    manifest.loc[kept, "split"] = np.roll(manifest.loc[kept, "split"].to_numpy(), 5)
    after = write_snapshot(store, manifest, np.asarray(before.images), "split")
    return after, len(_held_out(open_snapshot(store, after)) & _pixels(before, *splits))


def _pixels(snapshot: DatasetSnapshot, *splits: str) -> set[str]:
    rows = np.concatenate([snapshot.positions(split) for split in splits])
    return set(snapshot.manifest["pixel_sha256"].to_numpy()[rows])


def _held_out(snapshot: DatasetSnapshot) -> set[str]:
    return _pixels(snapshot, "validation", "test")


def _note(store: ArtifactStore, snapshot: SnapshotRef) -> str:
    start = explain_warm_starts(store, [_member("a")], snapshot)["a"]
    assert (start.initial is None) == ("from scratch" in start.note)
    return start.note


def test_a_network_that_was_trained_on_images_that_are_now_held_out_is_not_started_from(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    _crown(store, _store(store, snapshot, _member("a")))
    redrawn, num_seen = _redrawn(store, snapshot, "train")
    num_held_out = len(_held_out(open_snapshot(store, redrawn)))
    assert num_seen > 0
    assert warm_starts(store, [_member("a")], redrawn) == {}
    assert _note(store, redrawn) == (
        f"a: from scratch, a-1 was trained on {num_seen} of the {num_held_out} validation and "
        "test images"
    )


def test_new_training_images_alone_are_no_reason_against_a_warm_start(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    champion = _store(store, snapshot, _member("a"))
    _crown(store, champion)
    opened = open_snapshot(store, snapshot)
    manifest = opened.manifest.copy()
    dropped = opened.positions("train")[:20]
    manifest.loc[dropped, ["status", "reason"]] = "quarantined", "label_error"
    fewer = write_snapshot(store, manifest, np.asarray(opened.images), "split")
    assert warm_starts(store, [_member("a")], fewer) == {"a": champion}


@pytest.mark.parametrize("link", ["initial", "averaged"])
def test_weights_keep_what_the_networks_that_they_come_from_have_learned(
    store: ArtifactStore, snapshot: SnapshotRef, link: str
) -> None:
    first = _store(store, snapshot, _member("first"))
    redrawn, num_seen = _redrawn(store, snapshot, "train")
    origin = first.id if link == "initial" else [first.id]
    _crown(store, _store(store, redrawn, _member("a"), **{link: origin}))
    assert f"a-1 was trained on {num_seen} of the" in _note(store, redrawn)


def test_a_final_fit_has_also_learned_from_validation_images(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    base = _store(store, snapshot, _member("base"))
    redrawn, num_seen = _redrawn(store, snapshot, "train", "validation")
    final = store.put(
        ModelRef,
        "base-final-1",
        {"lineage.json": b"{}"},
        {"name": "base-final", "snapshot_id": snapshot.id, "final_fit_of": base.id},
        name="base-final",
    )
    _crown(store, _store(store, redrawn, _member("a"), initial=final.id))
    assert f"a-1 was trained on {num_seen} of the" in _note(store, redrawn)


def test_a_network_whose_training_images_are_not_in_the_store_is_not_started_from(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    _crown(store, _store(store, snapshot, _member("b"), imported={"snapshot_id": "elsewhere"}))
    assert "b-1 was trained on snapshot elsewhere, which is not in" in _note(store, snapshot)
    removed = build_snapshot(store, seed=9)
    _crown(store, _store(store, removed, _member("c")))
    store.forget(removed)
    assert f"c-1 was trained on snapshot {removed.id[:12]}, which" in _note(store, snapshot)
    _crown(store, _store(store, snapshot, _member("d"), initial="gone-1"))
    assert "training images of d-1 are not known" in _note(store, snapshot)


def test_images_that_are_stored_in_another_format_are_known_by_their_ids(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    champion = _store(store, snapshot, _member("a"))
    _crown(store, champion)
    opened = open_snapshot(store, snapshot)
    larger = np.asarray(opened.images).repeat(2, axis=1).repeat(2, axis=2)
    facts = {"image_format": {"size_px": larger.shape[1]}}
    manifest = opened.manifest.assign(pixel_sha256=pixel_sha256(larger))
    same = write_snapshot(store, manifest, larger, "split", info=facts)
    assert warm_starts(store, [_member("a")], same) == {"a": champion}
    swapped = manifest["split"].replace({"train": "test", "test": "train"})
    redrawn = write_snapshot(store, manifest.assign(split=swapped), larger, "split", info=facts)
    assert "a-1 was trained on" in _note(store, redrawn)
