"""ROC and precision-recall curves are those of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from fer_models.evaluation.predictions import Predictions
from fer_models.reporting.curves import class_curves

NAMES = ("happy", "sad", "bored")


def predictions(num_images: int, seed: int, levels: int = 1000) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(NAMES), num_images)
    probs_NK = rng.dirichlet(np.ones(len(NAMES)), num_images)
    probs_NK[np.arange(num_images), labels] += 0.3
    probs_NK = np.round(probs_NK * levels) / levels
    return Predictions(np.arange(num_images), labels, probs_NK)


@given(st.integers(10, 120), st.integers(0, 10**6), st.sampled_from([5, 1000]))
def test_areas_and_average_precision(num_images: int, seed: int, levels: int) -> None:
    given_probs = predictions(num_images, seed, levels)
    for one in class_curves(given_probs, NAMES):
        number = NAMES.index(one.name)
        is_class, scores = given_probs.labels == number, given_probs.probs_NK[:, number]
        assert one.n == is_class.sum()
        assert one.area == pytest.approx(roc_auc_score(is_class, scores))
        expected = average_precision_score(is_class, scores)
        assert one.average_precision == pytest.approx(expected)


def test_the_points_of_the_roc_curve() -> None:
    given_probs = predictions(90, 3)
    one = class_curves(given_probs, NAMES)[1]
    fpr, tpr, _ = roc_curve(
        given_probs.labels == 1, given_probs.probs_NK[:, 1], drop_intermediate=False
    )
    assert np.allclose(one.false_positive_rate, fpr)
    assert np.allclose(one.true_positive_rate, tpr)


def test_many_images_are_thinned_but_keep_their_ends() -> None:
    one = class_curves(predictions(5000, 1), NAMES)[0]
    assert len(one.false_positive_rate) <= 160
    assert (one.false_positive_rate[0], one.true_positive_rate[0]) == (0, 0)
    assert (one.false_positive_rate[-1], one.true_positive_rate[-1]) == (1, 1)
    assert one.recall[-1] == 1


def test_a_class_without_images_has_no_curves() -> None:
    given_probs = predictions(60, 2)
    only = Predictions(
        given_probs.positions, np.where(given_probs.labels == 2, 0, given_probs.labels),
        given_probs.probs_NK,
    )  # fmt: skip
    assert [one.name for one in class_curves(only, NAMES)] == ["happy", "sad"]
