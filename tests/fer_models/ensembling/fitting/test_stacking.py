"""Stacking, compared with scikit-learn's own predictions."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fer_models.combination.rules import stacking_features
from fer_models.ensembling.fitting import stacking
from fer_models.ensembling.fitting.stacking import fit_stacking
from fer_models.errors import ConfigError
from tests.fer_models.ensembling.simulated import draw_members


def test_numpy_alone_predicts_what_scikit_learn_does() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 400, (1.5, 1.8))
    half_sure = np.full((7, 7), 0.5 / 6)
    np.fill_diagonal(half_sure, 0.5)
    images = np.concatenate([probs_MNK, np.stack([half_sure] * 2)], axis=1)
    reference = LogisticRegression(C=stacking._INVERSE_PENALTY, tol=1e-9, max_iter=10_000)
    reference.fit(stacking_features(images), np.concatenate([labels_N, np.arange(7)]))
    others_MNK, _ = draw_members(np.random.default_rng(1), 100, (1.5, 1.8))
    expected = reference.predict_proba(stacking_features(others_MNK))
    found = fit_stacking(probs_MNK, labels_N).combine(others_MNK)
    np.testing.assert_allclose(found, expected, atol=1e-3)  # coefficients have four decimals


def test_two_classes_are_a_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    labels_N = rng.integers(2, size=300)
    right = np.clip(0.6 + 0.2 * rng.normal(size=(2, 300)), 0.05, 0.95)
    probs_MNK = np.stack([np.where(labels_N == k, right, 1 - right) for k in (0, 1)], axis=2)
    half_sure = np.full((2, 2, 2), 0.5)
    reference = LogisticRegression(C=stacking._INVERSE_PENALTY, tol=1e-9)
    reference.fit(
        stacking_features(np.concatenate([probs_MNK, half_sure], axis=1)),
        np.concatenate([labels_N, [0, 1]]),
    )
    expected = reference.predict_proba(stacking_features(probs_MNK))
    found = fit_stacking(probs_MNK, labels_N).combine(probs_MNK)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_class_without_images_keeps_its_column() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 200, (1.8, 1.8))
    keep = ~np.isin(labels_N, (1, 5))
    found = fit_stacking(probs_MNK[:, keep], labels_N[keep]).combine(probs_MNK)
    assert found.shape == (200, 7)
    assert found[keep][:, (1, 5)].mean() < 0.1


def test_the_order_of_the_images_does_not_change_the_fit() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 500, (1.8, 1.2, 1.0))
    order = np.random.default_rng(1).permutation(500)
    assert fit_stacking(probs_MNK, labels_N) == fit_stacking(probs_MNK[:, order], labels_N[order])


def test_without_scikit_learn_the_error_names_both_ways_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ConfigError, match=r"install it, or leave stacking out of ensemble\.meth"):
        fit_stacking(*draw_members(np.random.default_rng(0), 20, (1.0,)))
