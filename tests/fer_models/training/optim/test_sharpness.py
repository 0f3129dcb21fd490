from typing import Any

import pytest
import torch
from torch import nn

from fer_models.dataset.snapshot import open_snapshot
from fer_models.training.config import TrainingConfig
from fer_models.training.engine.callbacks import CheckpointCallback
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import training_data
from fer_models.training.optim.sharpness import at_neighbour
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained


def test_gradients_are_those_of_the_neighbour_uphill() -> None:
    weight = nn.Parameter(torch.tensor([3.0, -4.0]))

    def closure() -> torch.Tensor:
        weight.grad = None
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    closure()
    loss = at_neighbour([weight], 0.5, closure)()
    uphill = torch.tensor([3.0, -4.0]) * (1 + 0.5 / 5)  # the gradient points away from zero
    torch.testing.assert_close(weight.detach(), torch.tensor([3.0, -4.0]))
    torch.testing.assert_close(weight.grad, 2 * uphill)
    torch.testing.assert_close(loss.detach(), (uphill**2).sum())


def test_a_training_with_it_ends_elsewhere(trained: Trained) -> None:
    training = MEMBER.training.model_copy(update={"sharpness_radius": 0.05})
    member = MEMBER.model_copy(update={"training": training})
    flat = train_member(trained.store, trained.snapshot, member, 3, UNTRACKED)
    weights = [trained.store.read_file(one, "weights.safetensors") for one in (flat, trained.model)]
    assert weights[0] != weights[1]
    assert trained.store.info(flat)["validation_accuracy"] > 0.3


@pytest.mark.parametrize("settings", [{"accumulate": 2}, {"precision": "16-mixed"}])
def test_settings_that_it_can_not_have_are_rejected(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="sharpness_radius=0"):
        TrainingConfig.model_validate({"sharpness_radius": 0.05, **settings})


def test_scores_count_every_image_once(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    result = CheckpointCallback._epoch_result

    def noted(self: CheckpointCallback, trainer: Any, module: Any) -> Any:
        counted.append(module.train_score.num_images)
        return result(self, trainer, module)

    monkeypatch.setattr(CheckpointCallback, "_epoch_result", noted)
    training = MEMBER.training.model_copy(update={"sharpness_radius": 0.05, "epochs": 1})
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    fit(data, MEMBER.model_copy(update={"training": training}), 0, lambda _: None)
    assert counted == [len(data.train)]
