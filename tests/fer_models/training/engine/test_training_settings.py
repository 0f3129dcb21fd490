"""Training settings: optimiser, targets, augmentation, EMA, freezing, early stopping."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.models.freezing import classifier_of, freeze_features
from fer_models.progress import listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.engine.ema import EMA
from fer_models.training.engine.fit import TrainedNetwork, fit
from fer_models.training.engine.results import StepResult
from fer_models.training.inputs.data import training_data
from fer_models.training.train import train_member
from fer_models.tuning.space import apply_setting
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.engine.test_resume import InterruptedHereError, interrupt_after
from tests.fer_models.training.faces import write_faces


def fit_with(trained: Trained, **setting: Any) -> TrainedNetwork:
    snapshot = write_faces(trained.store, voted=True)
    data = training_data(open_snapshot(trained.store, snapshot))
    return fit(data, member_with(**setting), 0, lambda _: None)


def member_with(**setting: Any) -> MemberConfig:
    return apply_setting(
        MEMBER.model_copy(update={"training": MEMBER.training.model_copy(update={"epochs": 3})}),
        {f"training.{name.replace('__', '.')}": value for name, value in setting.items()},
    )


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": "muon", "learning_rate": 0.05, "schedule": "linear"},
        {"optimizer": "sgd", "learning_rate": 0.05, "schedule": "constant"},
        {"augment__mixup": 0.4},
        {"augment__cutmix": 1.0},
        {"vote_weight": 0.5},
        {"class_weighting": "loss"},
        {"class_weighting": "sampling"},
        {"ema_decay": 0.9},
        {"accumulate": 3},
        {"auxiliary_head_weight": 1.0},
        {"start_size_px": 32},
    ],
    ids=str,
)
def test_every_setting_trains_and_is_repeatable(trained: Trained, setting: dict[str, Any]) -> None:
    first, second = (fit_with(trained, **setting) for _ in range(2))
    assert first.curve[-1].train_loss < first.curve[0].train_loss
    again = second.network.state_dict()
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again[name]), name


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param({"ema_decay": 0.9}, marks=pytest.mark.slow),
        {"optimizer": "muon", "learning_rate": 0.05, "accumulate": 2},
        pytest.param({"augment__mixup": 0.4, "frozen_epochs": 1}, marks=pytest.mark.slow),
        {"auxiliary_head_weight": 1.0, "augment__mixup": 0.4, "start_size_px": 32},
    ],
    ids=str,
)
def test_a_resumed_training_gives_the_same_model(
    store: ArtifactStore, setting: dict[str, Any]
) -> None:
    member, snapshot = member_with(**setting), write_faces(store, voted=True)
    uninterrupted = train_member(store, snapshot, member, 3, UNTRACKED)
    curve = store.read_file(uninterrupted, "curve.csv")
    with pytest.raises(InterruptedHereError), listening(interrupt_after(2)):
        train_member(store, snapshot, member, 3, UNTRACKED)
    again = train_member(store, snapshot, member, 3, UNTRACKED)
    assert again.id == uninterrupted.id
    columns = [column for column in pd.read_csv(io.BytesIO(curve)) if column != "images_per_s"]
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(curve))[columns],
        pd.read_csv(io.BytesIO(store.read_file(again, "curve.csv")))[columns],
    )


def test_the_ema_weights_are_validated_and_kept(trained: Trained) -> None:
    plain = fit_with(trained, precision="32-true")
    averaged = fit_with(trained, precision="32-true", ema_decay=0.99)
    # The trained weights are the same; only the validated ones differ.
    assert [e.train_loss for e in plain.curve] == [e.train_loss for e in averaged.curve]
    assert [e.validation_loss for e in plain.curve] != [e.validation_loss for e in averaged.curve]
    assert averaged.best.validation_loss == pytest.approx(_loss(trained, averaged), rel=1e-3)


def test_ema_decay_warms_up_to_its_final_value() -> None:
    update = EMA(0.5)._kwargs["multi_avg_fn"]
    average, count = torch.tensor([0.0]), torch.tensor([3])
    seen = []
    for steps in range(1, 10):
        update([average, count], [torch.tensor([1.0]), torch.tensor([steps])], torch.tensor(steps))
        seen.append(float(average))
    expected = 0.0
    for steps, value in enumerate(seen, start=1):
        decay = min(0.5, (1 + steps) / (10 + steps))
        expected = decay * expected + (1 - decay)
        assert value == pytest.approx(expected, abs=1e-6)
    assert count.tolist() == [9]


def test_the_number_of_threads_can_be_set(trained: Trained) -> None:
    seen = []
    member = member_with()
    training = member.training.model_copy(update={"threads": 2})
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    member = member.model_copy(update={"training": training})
    fit(data, member, 0, lambda _: seen.append(torch.get_num_threads()))
    assert seen == [2, 2, 2]


def _loss(trained: Trained, model: TrainedNetwork) -> float:
    from sklearn.metrics import log_loss

    from fer_models.training.predict import predict_probabilities

    validation = training_data(open_snapshot(trained.store, trained.snapshot)).validation
    probabilities = predict_probabilities(model.network, model.preprocessing, validation.images)
    return float(log_loss(validation.labels, probabilities, labels=range(7)))


def test_training_stops_early_without_improvement(trained: Trained) -> None:
    stopped = fit_with(trained, learning_rate=1e-12, patience=1)
    assert len(stopped.curve) == 2
    assert stopped.best.epoch == 1


def test_a_training_stopped_early_does_not_continue_when_resumed(
    store: ArtifactStore, cache_folder: Path
) -> None:
    del cache_folder
    # Only running statistics change in the first epochs, then there is no improvement.
    changes = {"epochs": 20, "learning_rate": 1e-12, "patience": 1}
    member = MEMBER.model_copy(update={"training": MEMBER.training.model_copy(update=changes)})
    snapshot = write_faces(store)
    alone = fit(training_data(open_snapshot(store, snapshot)), member, 3, lambda _: None)
    assert len(alone.curve) < 20
    with pytest.raises(InterruptedHereError), listening(interrupt_after(len(alone.curve))):
        train_member(store, snapshot, member, 3, UNTRACKED)
    model = train_member(store, snapshot, member, 3, UNTRACKED)
    assert len(store.read_file(model, "curve.csv").splitlines()) == len(alone.curve) + 1


def test_only_the_classifier_trains_while_the_features_are_frozen(trained: Trained) -> None:
    frozen = fit_with(trained, frozen_epochs=3, learning_rate=0.01)
    torch.manual_seed(0)
    classifier = {name for name, _ in frozen.network.named_parameters() if "head" in name}
    free = fit_with(trained, frozen_epochs=0, learning_rate=0.01)
    assert classifier
    start = fit_with(trained, frozen_epochs=3, learning_rate=1e-12)
    for name, weights in frozen.network.named_parameters():
        same = torch.equal(weights, dict(start.network.named_parameters())[name])
        assert same is (name not in classifier), name
    assert not torch.equal(
        dict(free.network.named_parameters())["stem.0.weight"],
        dict(start.network.named_parameters())["stem.0.weight"],
    )


def test_a_network_without_a_classifier_cannot_be_frozen() -> None:
    with pytest.raises(ConfigError, match="frozen_epochs=0"):
        freeze_features(torch.nn.Conv2d(1, 7, 3), frozen=True)
    network = build_network(NetworkConfig(width=0.25))
    assert classifier_of(network, "x").out_features == 7


def test_accumulated_gradients_equal_those_of_a_larger_batch(trained: Trained) -> None:
    # Without normalisation over the batch, two batches of 14 are one of 28.
    network = {"network.name": "scratch_mlp", "network.dropout": 0.0}
    plain = {"training.gradient_clip": 0.0, "training.precision": "32-true"}
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    sizes = {"one": (28, 1), "two": (14, 2)}
    found = {}
    for name, (batch_size, accumulate) in sizes.items():
        member = apply_setting(
            member_with(batch_size=batch_size, accumulate=accumulate, augment__erase=0.0),
            {**network, **plain, **no_augmentation()},
        )
        found[name] = fit(data, member, 0, lambda _: None).curve[-1]
    assert found["two"].train_loss == pytest.approx(found["one"].train_loss, rel=1e-4)
    # Kernels for 14 and 28 images round differently, by how much depends on the processor.
    assert found["two"].validation_loss == pytest.approx(found["one"].validation_loss, rel=1e-3)


def no_augmentation() -> dict[str, Any]:
    names = ("rotate_deg", "shift", "scale", "brightness", "contrast")
    return {f"training.augment.{name}": 0.0 for name in names}


def test_the_artifact_stores_its_tta(store: ArtifactStore) -> None:
    member = member_with().model_copy(update={"tta": "ten_crop"})
    model = train_member(store, write_faces(store), member, 0, UNTRACKED)
    assert store.read_json(model, "preprocessing.json")["tta"] == "ten_crop"
    arrays = np.load(io.BytesIO(store.read_file(model, "probabilities.npz")))
    np.testing.assert_allclose(arrays["validation"].sum(1), 1, atol=1e-5)


def test_the_folder_of_pretrained_weights_does_not_change_the_model(
    store: ArtifactStore, tmp_path: Path
) -> None:
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    torch.manual_seed(5)
    weights = timm.create_model("resnet10t", num_classes=1000).state_dict()
    snapshot, ids = write_faces(store, num_train=14, num_validation=7, num_test=7), []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        save_file(weights, folder / "resnet10t.safetensors")
        network = NetworkConfig(name="resnet10t", pretrained=True, weights_dir=str(folder))
        training = MEMBER.training.model_copy(update={"epochs": 1})
        member = MEMBER.model_copy(update={"network": network, "training": training})
        ids.append(train_member(store, snapshot, member, 0, UNTRACKED))
    assert ids[0].id == ids[1].id
    lineage = store.read_json(ids[0], "lineage.json")
    assert lineage["pretrained"].startswith("sha256:")
    assert str(tmp_path) not in store.read_file(ids[0], "config.json").decode()


def test_every_reported_step_covers_the_images_since_the_last_one(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.training.engine.callbacks._REPORT_EVERY_STEPS", 2)
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    results: list[StepResult] = []
    member = member_with(batch_size=14, accumulate=2)  # ten batches, five steps an epoch
    fit(data, member, 0, lambda _: None, on_step=results.append)
    assert [result.step for result in results] == [2, 4, 6, 8, 10, 12, 14]
    assert all(0 <= result.scores["train_accuracy"] <= 1 for result in results)
    assert all(result.scores["images_per_s"] > 0 for result in results)
