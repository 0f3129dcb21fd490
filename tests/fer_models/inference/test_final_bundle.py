"""Export of a final fit."""

import shutil

import pytest

from fer_models.inference.export import write_bundle
from fer_models.storage.store import ArtifactStore
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import stored_network


def test_a_final_fit_is_measured_on_the_test_images(store: ArtifactStore) -> None:
    model = stored_network(store)
    final = build_final_fit(store, model)
    folder = store.local_root / "out"
    facts = write_bundle(store, final, folder)
    assert facts.accuracy["test"].n == 21
    assert facts.speeds["fast"].accuracy["test"].n == 21


def test_on_validation_images_the_model_that_it_repeats_is_measured(store: ArtifactStore) -> None:
    model, other = stored_network(store, seed=0), stored_network(store, seed=1)
    final = build_final_fit(store, model, network=other)
    folder = store.local_root / "out"
    facts = write_bundle(store, final, folder)
    before = write_bundle(store, model, folder)
    assert facts.final_fit_of == model.id
    assert before.final_fit_of == ""
    assert facts.weights_sha256 != before.weights_sha256
    names = ("validation", "validation_unseen")
    for speed, one in before.speeds.items():
        repeated = facts.speeds[speed].accuracy
        assert set(repeated) == {*names, "test", "test_unseen"}
        assert {name: repeated[name] for name in names} == one.accuracy
    assert facts.accuracy == facts.speeds["best"].accuracy


def test_without_images_the_recorded_accuracy_is_that_of_the_model_before(
    store: ArtifactStore,
) -> None:
    model = stored_network(store)
    final = build_final_fit(store, model)
    shutil.rmtree(store.local_root / "datasets")
    facts = write_bundle(store, final, store.local_root / "out")
    assert facts.accuracy["validation"].accuracy == pytest.approx(
        store.info(model)["validation_accuracy"]
    )


def test_a_final_fit_is_exported_although_the_model_before_was_deleted(
    store: ArtifactStore,
) -> None:
    model = stored_network(store)
    final = build_final_fit(store, model)
    (store.local_root / "models" / model.id / "artifact.json").unlink()
    facts = write_bundle(store, final, store.local_root / "out")
    assert set(facts.accuracy) == {"test", "test_unseen"}
    assert facts.final_fit_of == model.id
