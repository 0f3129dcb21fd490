import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import TrainingError
from fer_models.training.inputs.data import training_data
from fer_models.training.lr_finder import MIN_RATE, ignored_settings, lr_find
from fer_models.tuning.space import apply_setting
from tests.fer_models.training.conftest import MEMBER, Trained


def test_the_loss_falls_before_it_diverges(trained: Trained) -> None:
    split = training_data(open_snapshot(trained.store, trained.snapshot)).train
    curve = lr_find(split, MEMBER, 0, 60)
    assert list(curve.rates) == sorted(curve.rates)
    assert len(curve.rates) == len(curve.losses)
    assert np.isfinite(curve.losses).all()
    assert min(curve.losses) < curve.losses[0]
    assert curve.losses[-1] > min(curve.losses)
    assert MIN_RATE < curve.suggested < curve.lowest
    assert curve.suggested == pytest.approx(curve.lowest / 10, rel=0.05)
    assert lr_find(split, MEMBER, 0, 60) == curve


def test_a_loss_that_diverges_at_once_says_what_to_try(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.training.lr_finder.MIN_RATE", 9.0)
    member = apply_setting(
        MEMBER,
        {
            "network.name": "scratch_mlp",
            "training.optimizer": "sgd",
            "training.gradient_clip": 0.0,
            "training.precision": "32-true",
        },
    )
    split = training_data(open_snapshot(trained.store, trained.snapshot)).train
    with pytest.raises(TrainingError, match=r"gradient_clip=1"):
        lr_find(split, member, 0, 20)


def test_class_weights_count(trained: Trained) -> None:
    balanced = training_data(open_snapshot(trained.store, trained.snapshot)).train
    split = balanced.at(np.flatnonzero((balanced.labels > 2) | (np.arange(len(balanced)) < 20)))
    weighted = apply_setting(MEMBER, {"training.class_weighting": "loss"})
    assert lr_find(split, weighted, 0, 20) != lr_find(split, MEMBER, 0, 20)


def test_settings_that_have_no_effect_are_named() -> None:
    assert ignored_settings(MEMBER) == []
    settings = {"training.accumulate": 2, "training.auxiliary_head_weight": 1.0}
    member = apply_setting(MEMBER, settings).model_copy(update={"teachers": ("large",)})
    assert ignored_settings(member) == [
        "teachers",
        "training.auxiliary_head_weight",
        "training.accumulate",
    ]
