"""Temperature scaling against a plain search, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import DataError
from fer_models.evaluation.metrics import Floats, Ints, log_loss
from fer_models.evaluation.temperature import apply_temperature, fit_temperature


def _probabilities(
    rng: np.random.Generator, num_images: int, num_classes: int, spread: float = 2.0
) -> Floats:
    logits = rng.normal(0, spread, (num_images, num_classes))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _labels(rng: np.random.Generator, probs_NK: Floats) -> Ints:
    edges = probs_NK.cumsum(axis=1)
    numbers = (rng.random((len(probs_NK), 1)) > edges).sum(axis=1)
    labels_N: Ints = numbers.clip(0, probs_NK.shape[1] - 1).astype(np.int64)
    return labels_N


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_distorted_probabilities_is_found(temperature: float) -> None:
    rng = np.random.default_rng(0)
    honest_NK = _probabilities(rng, 20_000, 7)
    labels_N = _labels(rng, honest_NK)
    distorted_NK = apply_temperature(honest_NK, 1 / temperature)
    assert fit_temperature(distorted_NK, labels_N) == pytest.approx(temperature, rel=0.04)


@given(seed=st.integers(0, 2**16), num_classes=st.integers(2, 9), num_images=st.integers(1, 80))
def test_no_temperature_of_a_grid_has_a_lower_loss(
    seed: int, num_classes: int, num_images: int
) -> None:
    rng = np.random.default_rng(seed)
    probs_NK = _probabilities(rng, num_images, num_classes)
    labels_N = rng.integers(0, num_classes, num_images)
    best = log_loss(apply_temperature(probs_NK, fit_temperature(probs_NK, labels_N)), labels_N)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 60))
    others = [log_loss(apply_temperature(probs_NK, float(value)), labels_N) for value in grid]
    assert best <= min(others) + 1e-4


@given(seed=st.integers(0, 2**16), temperature=st.floats(0.05, 20))
def test_scaled_rows_are_probabilities_with_the_same_order(seed: int, temperature: float) -> None:
    probs_NK = _probabilities(np.random.default_rng(seed), 20, 5)
    scaled_NK = apply_temperature(probs_NK, temperature)
    np.testing.assert_allclose(scaled_NK.sum(axis=1), 1)
    assert (scaled_NK.argmax(axis=1) == probs_NK.argmax(axis=1)).all()


def test_probabilities_of_zero_and_one_stay_finite() -> None:
    probs_NK = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    temperature = fit_temperature(probs_NK, np.array([0, 1, 1]))
    assert 0.05 <= temperature <= 20
    assert np.isfinite(apply_temperature(probs_NK, temperature)).all()


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="at least one label"):
        fit_temperature(np.empty((0, 7)), np.empty(0, dtype=np.int64))
