"""What a trial trains, and what it reports, without a search."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune

from fer_models.models.config import NetworkConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.engine.results import EpochResult
from fer_models.tuning import trial

MEMBER = MemberConfig(
    name="small",
    network=NetworkConfig(image_size_px=48, in_channels=1),
    training=TrainingConfig(epochs=60, start_size_px=24, resizing_fraction=0.5),
)


def epoch(number: int, accuracy: float) -> EpochResult:
    return EpochResult.model_construct(
        epoch=number, validation_accuracy=accuracy, validation_loss=1 - accuracy
    )


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was trained, and reported; each training has the epochs that a test gives it."""
    seen: dict[str, Any] = {"epochs": [], "reported": [], "member": None}

    def fit(_: Any, member: MemberConfig, __: int, report: Any, ___: Path | None = None) -> None:
        seen["member"] = member
        for result in seen["epochs"]:
            report(result)

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(trial, "fit", fit)
    monkeypatch.setattr(ray, "get", lambda value: value)
    monkeypatch.setattr(tune, "report", lambda metrics, **_: seen["reported"].append(dict(metrics)))
    return seen


def run(member: MemberConfig, exchange_epochs: int | None) -> None:
    trial.run_trial(
        {"trial": 0, "setting": {}},
        settings=[],
        member=member,
        data=(None,),
        seed=0,
        max_epochs=4,
        num_threads=1,
        exchange_epochs=exchange_epochs,
    )


def test_a_trial_is_judged_by_an_epoch_that_a_training_would_keep(trials: dict[str, Any]) -> None:
    """Two of its four epochs are on smaller images."""
    trials["epochs"] = [epoch(1, 0.9), epoch(2, 0.8), epoch(3, 0.5), epoch(4, 0.4)]
    run(MEMBER, None)
    best = [one["best_accuracy"] for one in trials["reported"]]
    assert best == [0.9, 0.8, 0.5, 0.5]


def test_trials_of_a_population_hand_over_their_last_epoch(
    trials: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_checkpoint_file", lambda: nullcontext(Path("last.ckpt")))
    training = MEMBER.training.model_copy(update={"checkpoint_every_s": 60.0, "patience": 3})
    run(MEMBER.model_copy(update={"training": training}), 2)
    assert trials["member"].training.checkpoint_every_s == 0
    assert trials["member"].training.patience == 0
