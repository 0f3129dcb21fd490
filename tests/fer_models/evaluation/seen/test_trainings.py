"""What the weights of a model were trained on."""

from typing import Any

import pytest

from fer_models.errors import StoreError
from fer_models.evaluation.seen.trainings import Training, trained_snapshot, trainings_of
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.lineages import with_lineage, with_members

TRAIN, BOTH = ("train",), ("train", "validation")


@pytest.fixture
def old(store: ArtifactStore) -> SnapshotRef:
    return build_snapshot(store, 70, seed=1)


@pytest.fixture
def new(store: ArtifactStore) -> SnapshotRef:
    return build_snapshot(store, 70, seed=2)


def test_every_network_that_weights_come_from_counts(
    store: ArtifactStore, old: SnapshotRef, new: SnapshotRef
) -> None:
    origin = build_model(store, old, "origin")
    warm = with_lineage(store, build_model(store, new, "warm"), initial=origin.id)
    soup = with_lineage(store, build_model(store, new, "soup"), averaged=[warm.id, origin.id])
    plain = build_model(store, new, "plain")
    ensemble = with_members(store, plain, plain, soup)
    expected = {Training(old.id, TRAIN), Training(new.id, TRAIN)}
    for model in (warm, soup, ensemble):
        assert trainings_of(store, model).found == expected
    assert trainings_of(store, plain).found == {Training(new.id, TRAIN)}
    assert trainings_of(store, warm).is_same(trainings_of(store, ensemble))
    assert not trainings_of(store, warm).is_same(trainings_of(store, plain))


def test_a_final_fit_has_learned_from_validation_images(
    store: ArtifactStore, old: SnapshotRef, new: SnapshotRef
) -> None:
    final = build_final_fit(store, build_model(store, old, "old"))
    warm = with_lineage(store, build_model(store, new, "warm"), initial=final.id)
    assert trainings_of(store, warm).found == {Training(old.id, BOTH), Training(new.id, TRAIN)}


def test_an_imported_network_was_trained_on_what_its_bundle_says(
    store: ArtifactStore, old: SnapshotRef, new: SnapshotRef
) -> None:
    model = build_model(store, new)
    imported = with_lineage(store, model, imported={"snapshot_id": old.id})
    assert trainings_of(store, imported).found == {Training(old.id, TRAIN)}
    assert trained_snapshot(store, imported) == old
    assert trained_snapshot(store, model) == new


def test_teachers_do_not_count(store: ArtifactStore, old: SnapshotRef, new: SnapshotRef) -> None:
    teacher = build_model(store, old, "teacher")
    student = with_lineage(store, build_model(store, new), teachers=[teacher.id])
    assert trainings_of(store, student).found == {Training(new.id, TRAIN)}


def test_what_is_not_known_is_said(store: ArtifactStore, new: SnapshotRef) -> None:
    model = build_model(store, new)
    assert trainings_of(store, model).unknown == ""
    imported = with_lineage(store, model, imported={"snapshot_id": "elsewhere-and-long"})
    assert trainings_of(store, imported).unknown == (
        f"{imported.id} was trained on snapshot elsewhere-an, which is not in the store"
    )
    orphan = with_lineage(store, model, initial="gone-1")
    found = trainings_of(store, orphan)
    assert found.unknown.startswith(f"training images of {orphan.id} are not known: ")
    assert found.found == {Training(new.id, TRAIN)}
    assert not found.is_same(found)


def test_a_store_that_fails_is_an_error(
    store: ArtifactStore, new: SnapshotRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model(store, new)

    def unreachable(self: ArtifactStore, ref: Any, name: str) -> Any:
        raise StoreError("the bucket can't be used") from TimeoutError()

    monkeypatch.setattr(ArtifactStore, "read_json", unreachable)
    with pytest.raises(StoreError, match="can't be used"):
        trainings_of(store, ModelRef.model_validate(model))
