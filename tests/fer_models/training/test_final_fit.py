"""The final fit: the chosen epochs on training and validation images, and nothing measured."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, DataError, StoreError
from fer_models.evaluation.predictions import (
    final_fit_of,
    held_out_splits,
    model_ref,
    read_predictions,
)
from fer_models.progress import listening
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training import resumable
from fer_models.training.config import MemberConfig
from fer_models.training.final_fit import fit_final
from fer_models.training.inputs.data import TrainingData, final_data, training_data
from fer_models.training.optim.optimizer import build_schedule
from fer_models.training.predict import predict_model
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces


def curve_of(store: ArtifactStore, model: ModelRef) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(store.read_file(model, "curve.csv")))


@pytest.fixture(scope="module")
def final(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    """The final fit of the shared model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return fit_final(trained.store, trained.model, UNTRACKED)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[TrainingData]:
    """The data of every training."""
    given: list[TrainingData] = []
    fit = resumable.fit

    def spy(data: TrainingData, *args: Any) -> Any:
        given.append(data)
        return fit(data, *args)

    monkeypatch.setattr(resumable, "fit", spy)
    return given


def test_it_trains_the_chosen_epochs_on_training_and_validation_images(
    store: ArtifactStore, seen: list[TrainingData]
) -> None:
    snapshot = write_faces(store)
    opened = open_snapshot(store, snapshot)
    training = MEMBER.training.model_copy(update={"epochs": 3, "learning_rate": 0.5})
    model = train_member(
        store, snapshot, MEMBER.model_copy(update={"training": training}), 3, UNTRACKED
    )
    best_epoch = store.info(model)["best_epoch"]
    final = fit_final(store, model, UNTRACKED)
    assert curve_of(store, final)["epoch"].tolist() == list(range(1, best_epoch + 1))
    assert store.info(final)["best_epoch"] == best_epoch
    learned = {image.tobytes() for image in seen[1].train.images}
    for split, is_in in (("train", True), ("validation", True), ("test", False)):
        images = {image.tobytes() for image in opened.images[opened.positions(split)]}
        assert (learned >= images) is is_in
        assert bool(learned & images) is is_in
    assert len(seen[1].train) == 140 + 42
    assert len(seen[1].validation) == 0


def test_it_claims_nothing_about_the_validation_images(trained: Trained, final: ModelRef) -> None:
    store = trained.store
    info = store.info(final)
    assert info["final_fit_of"] == final_fit_of(store, final) == trained.model.id
    assert info["validation_accuracy"] is None
    assert curve_of(store, final).filter(like="validation").isna().all(axis=None)
    assert held_out_splits(store, final) == ("test",)
    with np.load(store.fetch(final, "probabilities.npz")) as arrays:
        assert arrays.files == ["test"]
    opened = open_snapshot(store, trained.snapshot)
    test = read_predictions(store, opened, final, ("test",))["test"]
    images = np.asarray(opened.images[test.positions])
    np.testing.assert_allclose(test.probs_NK, predict_model(store, final, images), atol=1e-5)
    with pytest.raises(DataError, match=f"nothing can be measured on them; use {trained.model.id}"):
        read_predictions(store, opened, final)


def test_the_lineage_names_what_it_repeats(trained: Trained, final: ModelRef) -> None:
    lineage = trained.store.read_json(final, "lineage.json")
    assert lineage["final_fit_of"] == trained.model.id
    assert lineage["trained_on"] == ["train", "validation"]
    assert lineage["dataset_sha"] == trained.snapshot.id
    assert lineage["seed"] == 3
    assert final.name == "small-final"
    assert final == model_ref(trained.store, final.id)
    stored = MemberConfig.model_validate(trained.store.read_json(final, "config.json"))
    assert stored == MEMBER


def test_more_images_give_other_weights(trained: Trained, final: ModelRef) -> None:
    hashes = [
        trained.store.describe(model).files["weights.safetensors"].sha256
        for model in (trained.model, final)
    ]
    assert hashes[0] != hashes[1]


def test_a_stored_final_fit_is_not_trained_again(
    trained: Trained, final: ModelRef, seen: list[TrainingData]
) -> None:
    assert fit_final(trained.store, trained.model, UNTRACKED) == final
    assert not seen


def test_a_killed_final_fit_resumes_to_the_same_weights(
    store: ArtifactStore, trained: Trained, final: ModelRef
) -> None:
    snapshot = write_faces(store)
    model = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert store.info(model)["best_epoch"] > 2

    def killed(progress: Any) -> None:
        if "final fit: loss" in progress.note and progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(killed):
        fit_final(store, model, UNTRACKED)
    notes: list[str] = []
    with listening(lambda progress: notes.append(progress.note)):
        resumed = fit_final(store, model, UNTRACKED)
    assert "small, final fit: resumed after epoch 2" in notes
    assert resumed.id == final.id


def test_the_schedule_is_that_of_all_epochs(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the chosen epoch the final fit has the learning rate that the network had there."""
    lengths: list[int] = []

    def spy(optimizer: Any, config: Any, num_steps: int) -> Any:
        lengths.append(num_steps)
        return build_schedule(optimizer, config, num_steps)

    monkeypatch.setattr("fer_models.training.engine.module.build_schedule", spy)
    opened = open_snapshot(trained.store, trained.snapshot)
    rates = []
    for data in (training_data(opened), final_data(opened, 2)):
        curve = resumable.fit(data, MEMBER, 3, lambda _: None).curve
        rates.append([result.learning_rate for result in curve])
    assert lengths == [4 * 5, 4 * 7]  # 140 and 182 images in batches of 28
    assert len(rates[1]) == 2
    assert rates[1] == pytest.approx(rates[0][:2], rel=0.1)


def test_the_initial_weights_are_the_same(store: ArtifactStore, seen: list[TrainingData]) -> None:
    snapshot = write_faces(store)
    training = MEMBER.training.model_copy(update={"epochs": 1})
    member = MEMBER.model_copy(update={"training": training})
    first = train_member(store, snapshot, member, 3, UNTRACKED)
    second = train_member(store, snapshot, member, 4, UNTRACKED, initial=first)
    final = fit_final(store, second, UNTRACKED)
    assert store.read_json(final, "lineage.json")["initial"] == first.id
    assert seen[2].initial_weights is not None


def test_a_final_fit_of_a_final_fit_is_rejected(trained: Trained, final: ModelRef) -> None:
    with pytest.raises(ConfigError, match=f"is the final fit of {trained.model.id}"):
        fit_final(trained.store, final, UNTRACKED)


def test_an_ensemble_is_rejected(store: ArtifactStore) -> None:
    ensemble = store.put(
        ModelRef, "ensemble-1", {}, {"kind": "ensemble"}, name="ensemble", kind="ensemble"
    )
    with pytest.raises(StoreError, match="expected a network, got an ensemble"):
        fit_final(store, ensemble, UNTRACKED)


def test_shipped_teachers_teach_the_final_fit_too(
    trained: Trained, seen: list[TrainingData], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = MEMBER.training.model_copy(update={"epochs": 1})
    taught = MEMBER.model_copy(update={"teachers": ("bundled:face_cnn",), "training": training})
    model = train_member(trained.store, trained.snapshot, taught, 3, UNTRACKED)
    final = fit_final(trained.store, model, UNTRACKED)
    lineages = [trained.store.read_json(one, "lineage.json") for one in (model, final)]
    assert lineages[0]["bundled_teachers"] == lineages[1]["bundled_teachers"] != {}
    assert seen[-1].train.teacher_probs_NK is not None
    assert len(seen[-1].train.teacher_probs_NK) == len(seen[-1].train) > len(seen[0].train)
    monkeypatch.setattr(
        "fer_models.training.checkpoint_dir.teacher_fingerprint", lambda _: "sha256:other"
    )
    with pytest.raises(ConfigError, match="other shipped teachers"):
        fit_final(trained.store, model, UNTRACKED)
