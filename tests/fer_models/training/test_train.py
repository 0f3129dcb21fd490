import io
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, DataError, TrainingError
from fer_models.evaluation.temperature import fit_temperature
from fer_models.labels import CLASS_NAMES
from fer_models.progress import listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA, MemberConfig
from fer_models.training.predict import load_network, predict_probabilities
from fer_models.training.train import train_member
from fer_models.tuning.space import apply_setting
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces


def with_training(**values: Any) -> MemberConfig:
    return MEMBER.model_copy(update={"training": MEMBER.training.model_copy(update=values)})


def test_the_model_artifact_is_complete(trained: Trained) -> None:
    files = trained.store.describe(trained.model).files
    assert sorted(files) == [
        "config.json",
        "curve.csv",
        "lineage.json",
        "preprocessing.json",
        "probabilities.npz",
        "weights.safetensors",
    ]
    assert trained.model.name == "small"
    assert trained.model.id.startswith("small-")
    stored = MemberConfig.model_validate(trained.store.read_json(trained.model, "config.json"))
    assert stored == MEMBER
    assert trained.store.read_json(trained.model, "preprocessing.json")["classes"] == list(
        CLASS_NAMES
    )
    assert trained.store.read_json(trained.model, "lineage.json")["dataset_sha"] == (
        trained.snapshot.id
    )


def test_probabilities_follow_the_snapshot(trained: Trained) -> None:
    snapshot = open_snapshot(trained.store, trained.snapshot)
    arrays = np.load(io.BytesIO(trained.store.read_file(trained.model, "probabilities.npz")))
    for split in ("validation", "test"):
        positions = snapshot.positions(split)
        assert arrays[split].shape == (len(positions), 7)
        assert arrays[split].dtype == np.float32
        np.testing.assert_allclose(arrays[split].sum(1), 1, atol=1e-5)
    labels = snapshot.labels(snapshot.positions("validation"))
    accuracy = accuracy_score(labels, arrays["validation"].argmax(1))
    assert trained.store.info(trained.model)["validation_accuracy"] == pytest.approx(accuracy)


def test_training_improves_and_keeps_the_best_epoch(trained: Trained) -> None:
    curve = pd.read_csv(io.BytesIO(trained.store.read_file(trained.model, "curve.csv")))
    info = trained.store.info(trained.model)
    assert list(curve["epoch"]) == [1, 2, 3, 4]
    assert curve["train_loss"].iloc[-1] < curve["train_loss"].iloc[0]
    ranked = curve.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True])
    assert info["best_epoch"] == ranked["epoch"].iloc[0]
    assert info["validation_accuracy"] == pytest.approx(ranked["validation_accuracy"].iloc[0])
    assert info["validation_accuracy"] > 0.3


def test_the_temperature_of_each_number_of_views_is_stored(store: ArtifactStore) -> None:
    ref = write_faces(store, num_validation=119)
    member = with_training(epochs=1).model_copy(update={"tta": "affine"})
    model = train_member(store, ref, member, 0, tracking=UNTRACKED)
    found = store.info(model)["temperatures"]
    assert set(found) == {"1", "2", "18"}
    snapshot = open_snapshot(store, ref)
    positions = snapshot.positions("validation")
    images, labels = np.asarray(snapshot.images[positions]), snapshot.labels(positions)
    network, preprocessing = load_network(store, model)
    views: tuple[tuple[str, TTA], ...] = (("1", "none"), ("2", "flip"), ("18", "affine"))
    for number, tta in views:
        probs_NK = predict_probabilities(network, {**preprocessing, "tta": tta}, images)
        expected = fit_temperature(probs_NK.astype(np.float64), labels)
        assert found[number] == pytest.approx(expected, rel=0.01)


def test_a_handler_of_sigterm_stays_in_force_during_the_training(
    store: ArtifactStore,
) -> None:
    """Prefect takes a cancellation only while its own handler is set."""

    def ours(number: int, frame: object) -> None: ...

    seen: list[object] = []
    earlier = signal.signal(signal.SIGTERM, ours)
    try:
        with listening(lambda _: seen.append(signal.getsignal(signal.SIGTERM))):
            train_member(store, write_faces(store), with_training(epochs=2), 3, UNTRACKED)
        assert len(seen) > 2
        assert all(handler is ours for handler in seen)
    finally:
        signal.signal(signal.SIGTERM, earlier)


def test_the_same_training_gives_the_same_model(store: ArtifactStore, trained: Trained) -> None:
    torch.manual_seed(99)  # the global generator must not matter
    before = torch.random.get_rng_state()
    snapshot = write_faces(store)
    assert snapshot.id == trained.snapshot.id
    assert train_member(store, snapshot, MEMBER, 3, UNTRACKED).id == trained.model.id
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_seed_gives_another_model(store: ArtifactStore, trained: Trained) -> None:
    short = with_training(epochs=1)
    snapshot = write_faces(store)
    ids = {train_member(store, snapshot, short, seed, UNTRACKED).id for seed in (0, 1)}
    assert len(ids) == 2


def test_progress_is_reported_for_every_epoch(store: ArtifactStore) -> None:
    events = []
    with listening(events.append):
        train_member(store, write_faces(store), with_training(epochs=2), 0, UNTRACKED)
    assert [(p.stage, p.done, p.total, p.unit) for p in events] == [
        ("train", done, 2, "epochs") for done in (0, 1, 2)
    ]
    assert "small: loss" in events[-1].note
    assert "accuracy" in events[-1].note


def test_progress_is_reported_while_many_images_are_predicted(store: ArtifactStore) -> None:
    events = []
    with listening(events.append):
        snapshot = write_faces(store, num_validation=133, num_test=7)
        train_member(store, snapshot, with_training(epochs=1), 0, UNTRACKED)
    predicting = [event for event in events if event.unit == "images"]
    assert [(p.stage, p.done, p.total) for p in predicting] == [
        ("train", done, 133) for done in (64, 128)
    ]
    assert {p.note for p in predicting} == {"small: predicting the validation images"}


@pytest.mark.parametrize("num_train", [29, 57, 2])
def test_a_last_batch_of_one_image_does_not_break_batch_normalisation(
    store: ArtifactStore, num_train: int
) -> None:
    snapshot = write_faces(store, num_train=num_train, num_validation=1, num_test=0)
    model = train_member(store, snapshot, with_training(epochs=1), 0, UNTRACKED)
    arrays = np.load(io.BytesIO(store.read_file(model, "probabilities.npz")))
    assert arrays["test"].shape == (0, 7)


def test_batch_size_one_is_rejected_with_batch_normalisation(store: ArtifactStore) -> None:
    with pytest.raises(ConfigError, match=r"training\.batch_size=2"):
        train_member(store, write_faces(store), with_training(batch_size=1), 0, UNTRACKED)


def test_batch_size_one_works_without_batch_normalisation(store: ArtifactStore) -> None:
    member = apply_setting(
        with_training(epochs=1, batch_size=1, learning_rate=1e-4), {"network.name": "scratch_cnn"}
    )
    snapshot = write_faces(store, num_train=8, num_validation=7)
    assert train_member(store, snapshot, member, 0, UNTRACKED).name == "small"


def test_a_class_without_training_images_still_has_a_probability(store: ArtifactStore) -> None:
    snapshot = write_faces(store, classes=(0, 2, 3, 4, 5, 6))
    model = train_member(store, snapshot, with_training(epochs=1), 0, UNTRACKED)
    arrays = np.load(io.BytesIO(store.read_file(model, "probabilities.npz")))
    assert arrays["validation"].shape[1] == 7
    assert np.isfinite(arrays["validation"]).all()


def test_all_empty_splits_are_reported_together(store: ArtifactStore) -> None:
    snapshot = write_faces(store, num_train=1, num_validation=0, num_test=10)
    with pytest.raises(DataError) as caught:
        train_member(store, snapshot, MEMBER, 0, UNTRACKED)
    assert len(caught.value.problems) == 2


def test_a_diverged_loss_says_what_to_try(store: ArtifactStore) -> None:
    member = with_training(
        optimizer="sgd", learning_rate=10.0, gradient_clip=0.0, precision="32-true"
    )
    member = apply_setting(member, {"network.name": "scratch_mlp", "training.weight_decay": 0.0})
    with pytest.raises(
        TrainingError,
        match=r"small: the training loss became .* epoch .* "
        r"training\.learning_rate=1 .*gradient_clip=1",
    ):
        train_member(store, write_faces(store), member, 0, UNTRACKED)


def test_half_precision_on_a_cpu_is_rejected(store: ArtifactStore) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match="16-mixed needs a CUDA GPU"):
        train_member(store, write_faces(store), with_training(precision="16-mixed"), 0, UNTRACKED)


def test_training_leaves_no_files_behind(
    store: ArtifactStore,
    tmp_path: Path,
    cache_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    train_member(store, write_faces(store), with_training(epochs=1), 0, UNTRACKED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "store"]
    assert list(cache_folder.iterdir()) == []
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_lineage_is_plain_json(trained: Trained) -> None:
    lineage = trained.store.read_json(trained.model, "lineage.json")
    assert json.loads(json.dumps(lineage)) == lineage
    assert lineage["packages"]["torch"] == torch.__version__.partition("+")[0]
