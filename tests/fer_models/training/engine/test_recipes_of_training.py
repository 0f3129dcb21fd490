"""Settings of a training that change what is learned from, kept and stopped."""

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


def fitted(trained: Trained, **setting: Any) -> TrainedNetwork:
    snapshot = write_faces(trained.store, voted=True)
    data = training_data(open_snapshot(trained.store, snapshot))
    return fit(data, changed(**setting), 0, lambda _: None)


def changed(**setting: Any) -> MemberConfig:
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
def test_every_setting_learns_and_gives_the_same_numbers_twice(
    trained: Trained, setting: dict[str, Any]
) -> None:
    first, second = (fitted(trained, **setting) for _ in range(2))
    assert first.curve[-1].train_loss < first.curve[0].train_loss
    again = second.network.state_dict()
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again[name]), name


@pytest.mark.parametrize(
    "setting",
    [
        {"ema_decay": 0.9},
        {"optimizer": "muon", "learning_rate": 0.05, "accumulate": 2},
        {"augment__mixup": 0.4, "frozen_epochs": 1},
        {"auxiliary_head_weight": 1.0, "augment__mixup": 0.4, "start_size_px": 32},
    ],
    ids=str,
)
def test_an_interrupted_training_goes_on_as_if_nothing_had_been(
    store: ArtifactStore, setting: dict[str, Any]
) -> None:
    member, snapshot = changed(**setting), write_faces(store, voted=True)
    whole = train_member(store, snapshot, member, 3, UNTRACKED)
    curve = store.read_file(whole, "curve.csv")
    with pytest.raises(InterruptedHereError), listening(interrupt_after(2)):
        train_member(store, snapshot, member, 3, UNTRACKED)
    again = train_member(store, snapshot, member, 3, UNTRACKED)
    assert again.id == whole.id
    columns = [column for column in pd.read_csv(io.BytesIO(curve)) if column != "images_per_s"]
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(curve))[columns],
        pd.read_csv(io.BytesIO(store.read_file(again, "curve.csv")))[columns],
    )


def test_the_average_is_what_is_validated_and_kept(trained: Trained) -> None:
    plain = fitted(trained, precision="32-true")
    averaged = fitted(trained, precision="32-true", ema_decay=0.99)
    # Weights move alike; only what is looked at differs.
    assert [e.train_loss for e in plain.curve] == [e.train_loss for e in averaged.curve]
    assert [e.validation_loss for e in plain.curve] != [e.validation_loss for e in averaged.curve]
    assert averaged.best.validation_loss == pytest.approx(_loss(trained, averaged), rel=1e-3)


def test_an_average_is_young_at_first_and_then_decays_as_told() -> None:
    blend = EMA(0.5)._kwargs["multi_avg_fn"]
    average, count = torch.tensor([0.0]), torch.tensor([3])
    seen = []
    for steps in range(1, 10):
        blend([average, count], [torch.tensor([1.0]), torch.tensor([steps])], torch.tensor(steps))
        seen.append(float(average))
    expected = 0.0
    for steps, value in enumerate(seen, start=1):
        decay = min(0.5, (1 + steps) / (10 + steps))
        expected = decay * expected + (1 - decay)
        assert value == pytest.approx(expected, abs=1e-6)
    assert count.tolist() == [9]


def test_the_number_of_threads_can_be_set(trained: Trained) -> None:
    seen = []
    member = changed()
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


def test_training_stops_when_nothing_gets_better(trained: Trained) -> None:
    told = fitted(trained, learning_rate=1e-12, patience=1)
    assert len(told.curve) == 2
    assert told.best.epoch == 1


def test_a_training_that_had_stopped_does_not_go_on_when_resumed(
    store: ArtifactStore, cache_folder: Path
) -> None:
    del cache_folder
    # Only running statistics settle in the first epochs, then nothing gets better.
    changes = {"epochs": 20, "learning_rate": 1e-12, "patience": 1}
    member = MEMBER.model_copy(update={"training": MEMBER.training.model_copy(update=changes)})
    snapshot = write_faces(store)
    alone = fit(training_data(open_snapshot(store, snapshot)), member, 3, lambda _: None)
    assert len(alone.curve) < 20
    with pytest.raises(InterruptedHereError), listening(interrupt_after(len(alone.curve))):
        train_member(store, snapshot, member, 3, UNTRACKED)
    model = train_member(store, snapshot, member, 3, UNTRACKED)
    assert len(store.read_file(model, "curve.csv").splitlines()) == len(alone.curve) + 1


def test_only_the_classifier_learns_while_the_features_are_frozen(trained: Trained) -> None:
    untouched = fitted(trained, frozen_epochs=3, learning_rate=0.01)
    torch.manual_seed(0)
    shapes = {name for name, _ in untouched.network.named_parameters() if "head" in name}
    free = fitted(trained, frozen_epochs=0, learning_rate=0.01)
    assert shapes
    start = fitted(trained, frozen_epochs=3, learning_rate=1e-12)
    for name, weights in untouched.network.named_parameters():
        same = torch.equal(weights, dict(start.network.named_parameters())[name])
        assert same is (name not in shapes), name
    assert not torch.equal(
        dict(free.network.named_parameters())["stem.0.weight"],
        dict(start.network.named_parameters())["stem.0.weight"],
    )


def test_a_network_without_a_classifier_can_not_be_frozen() -> None:
    with pytest.raises(ConfigError, match="frozen_epochs=0"):
        freeze_features(torch.nn.Conv2d(1, 7, 3), frozen=True)
    network = build_network(NetworkConfig(width=0.25))
    assert classifier_of(network, "x").out_features == 7


def test_gradients_of_several_batches_make_one_step(trained: Trained) -> None:
    # Without normalisation over the batch, two batches of 14 are one of 28.
    network = {"network.name": "scratch_mlp", "network.dropout": 0.0}
    plain = {"training.gradient_clip": 0.0, "training.precision": "32-true"}
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    sizes = {"one": (28, 1), "two": (14, 2)}
    found = {}
    for name, (batch_size, accumulate) in sizes.items():
        member = apply_setting(
            changed(batch_size=batch_size, accumulate=accumulate, augment__erase=0.0),
            {**network, **plain, **still()},
        )
        found[name] = fit(data, member, 0, lambda _: None).curve[-1]
    assert found["two"].train_loss == pytest.approx(found["one"].train_loss, rel=1e-4)
    # Kernels for 14 and 28 images round differently, by how much depends on the processor.
    assert found["two"].validation_loss == pytest.approx(found["one"].validation_loss, rel=1e-3)


def still() -> dict[str, Any]:
    names = ("rotate_deg", "shift", "scale", "brightness", "contrast")
    return {f"training.augment.{name}": 0.0 for name in names}


def test_ten_views_predict_in_the_artifact(store: ArtifactStore) -> None:
    member = changed().model_copy(update={"tta": "ten_crop"})
    model = train_member(store, write_faces(store), member, 0, UNTRACKED)
    assert store.read_json(model, "preprocessing.json")["tta"] == "ten_crop"
    arrays = np.load(io.BytesIO(store.read_file(model, "probabilities.npz")))
    np.testing.assert_allclose(arrays["validation"].sum(1), 1, atol=1e-5)


def test_where_pretrained_weights_lay_does_not_change_the_model(
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


def test_every_other_step_is_told_once_with_the_images_since_the_last(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.training.engine.callbacks._REPORT_EVERY_STEPS", 2)
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    told: list[StepResult] = []
    member = changed(batch_size=14, accumulate=2)  # ten batches, five steps an epoch
    fit(data, member, 0, lambda _: None, on_step=told.append)
    assert [line.step for line in told] == [2, 4, 6, 8, 10, 12, 14]
    assert all(0 <= line.scores["train_accuracy"] <= 1 for line in told)
    assert all(line.scores["images_per_s"] > 0 for line in told)
