import numpy as np
import pytest
import torch
from torch.nn import functional

from fer_models.training.config import TrainingConfig
from fer_models.training.objective.losses import class_loss

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def loss(kind: str, targets: torch.Tensor, **settings: float) -> float:
    config = TrainingConfig.model_validate({"loss": kind, "label_smoothing": 0, **settings})
    return float(class_loss(LOGITS, targets, config))


def probabilities() -> np.ndarray:
    exponents = np.exp(LOGITS.double().numpy())
    return exponents / exponents.sum(1, keepdims=True)


def test_focal_loss_is_that_of_the_paper() -> None:
    right = probabilities()[np.arange(6), LABELS]
    assert loss("focal", LABELS) == pytest.approx(np.mean((1 - right) ** 2 * -np.log(right)), 1e-5)


def test_generalized_cross_entropy_is_that_of_the_paper() -> None:
    right = probabilities()[np.arange(6), LABELS]
    assert loss("generalized", LABELS) == pytest.approx(np.mean((1 - right**0.7) / 0.7), 1e-5)


@pytest.mark.parametrize("kind", ["cross_entropy", "focal", "generalized"])
def test_probabilities_are_an_expectation_over_classes(kind: str) -> None:
    rows = functional.one_hot(LABELS, 4).float()
    assert loss(kind, rows) == pytest.approx(loss(kind, LABELS), 1e-5)
    mixed = 0.25 * rows + 0.75 * rows.roll(1, 1)
    parts = 0.25 * loss(kind, rows) + 0.75 * loss(kind, rows.roll(1, 1))
    assert loss(kind, mixed) == pytest.approx(parts, 1e-5)


@pytest.mark.parametrize("kind", ["focal", "generalized"])
def test_smoothing_and_class_weights_apply(kind: str) -> None:
    rows = functional.one_hot(LABELS, 4).float()
    smoothed = loss(kind, LABELS, label_smoothing=0.2)
    assert smoothed == pytest.approx(loss(kind, 0.8 * rows + 0.05), 1e-5)
    config = TrainingConfig.model_validate({"loss": kind, "label_smoothing": 0})
    only_first = class_loss(LOGITS, LABELS, config, torch.tensor([3.0, 0, 0, 0]))
    first = [class_loss(LOGITS[[i]], LABELS[[i]], config) for i in (0, 4)]
    torch.testing.assert_close(only_first, 3 * (first[0] + first[1]) / 6)
