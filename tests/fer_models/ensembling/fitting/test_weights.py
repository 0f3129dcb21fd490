"""Mixture weights compared with scipy's SLSQP."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from fer_models.ensembling.fitting.weights import Floats, mixture_weights
from fer_models.errors import DataError


def _loss(label_probs: Floats, weights: Floats) -> float:
    return -np.log(np.maximum(label_probs, 1e-15) @ weights).mean()


def _slsqp(label_probs: Floats) -> Any:
    m = label_probs.shape[1]
    return minimize(
        lambda w: _loss(label_probs, np.clip(w, 1e-12, None)),
        np.full(m, 1 / m),
        method="SLSQP",
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 300))
def test_no_worse_than_slsqp(seed: int, num_members: int, num_images: int) -> None:
    rng = np.random.default_rng(seed)
    label_probs = rng.beta(*rng.uniform(0.4, 3, 2), size=(num_images, num_members))
    weights = mixture_weights(label_probs)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    expected = _slsqp(label_probs).fun
    # Rounding to four decimals moves a loss whose slope is of order one.
    assert _loss(label_probs, weights) <= expected + 1e-3


def test_reaches_the_minimum_before_rounding() -> None:
    rng = np.random.default_rng(3)
    label_probs = rng.beta(2, 2, size=(400, 4))
    assert _loss(label_probs, mixture_weights(label_probs)) == pytest.approx(
        _slsqp(label_probs).fun, abs=2e-6
    )


def test_useless_member_gets_no_weight() -> None:
    good = np.random.default_rng(0).uniform(0.5, 0.9, 200)
    weights = mixture_weights(np.stack([good, good / 2], axis=1))
    np.testing.assert_array_equal(weights, [1, 0])


def test_equal_members_stay_equal() -> None:
    same = np.random.default_rng(0).uniform(0.1, 0.9, 50)
    np.testing.assert_allclose(mixture_weights(np.stack([same] * 4, axis=1)), 0.25)


def test_a_member_with_probability_zero_does_not_break_it() -> None:
    weights = mixture_weights(np.array([[0.0, 0.5], [0.0, 0.6]]))
    np.testing.assert_allclose(weights, [0, 1])


def test_zero_images_are_rejected() -> None:
    with pytest.raises(DataError, match="0 images"):
        mixture_weights(np.zeros((0, 3)))
