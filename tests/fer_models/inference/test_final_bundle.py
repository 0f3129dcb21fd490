"""Export of a final fit."""

import shutil

from fer_models.inference.export import write_bundle
from fer_models.storage.store import ArtifactStore
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import stored_network


def test_a_final_fit_is_measured_on_the_test_images(store: ArtifactStore) -> None:
    model = stored_network(store)
    final = build_final_fit(store, model)
    folder = store.local_root / "out"
    facts = write_bundle(store, final, folder)
    assert set(facts.accuracy) == {"test", "test_unseen"}
    assert facts.accuracy["test"].n == 21
    assert facts.validation_accuracy == -1.0
    shutil.rmtree(store.local_root / "datasets")
    assert write_bundle(store, final, folder, name="later").accuracy == {}
