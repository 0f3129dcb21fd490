"""No prediction comes from a fit that saw its image."""

import numpy as np
import pytest

from fer_models.combination.rules import Floats, MeanRule, Rule
from fer_models.ensembling.crossfit import CrossFitted, Fitting, cross_fit_method
from fer_models.ensembling.fitting.methods import fit_rule
from fer_models.ensembling.scores import Ints
from fer_models.evaluation.temperature import apply_temperature, fit_temperature
from tests.fer_models.ensembling.simulated import draw_members, images_of


class _Memory:
    """A fit that knows the images it has seen by their probabilities."""

    def __init__(self, images: Floats) -> None:
        self.rows = {images[0, row].tobytes(): row for row in range(images.shape[1])}
        self.fits: list[frozenset[int]] = []

    def fit(self, probs_MNK: Floats, _: Ints) -> Rule:
        self.fits.append(frozenset(self.rows[probs.tobytes()] for probs in probs_MNK[0]))
        return MeanRule(weights=(1.0,))


def test_every_image_is_predicted_without_its_fold_and_the_folds_left_out() -> None:
    images = images_of(*draw_members(np.random.default_rng(0), 50, (1.8,)))
    memory = _Memory(images.probs_MNK)
    candidate = CrossFitted(Fitting(images), memory.fit, "memory")
    held_out = candidate.held_out(frozenset({2}), calibrated=False)
    expected = [frozenset(np.flatnonzero(~np.isin(images.folds_N, (2, f)))) for f in (0, 1, 3, 4)]
    assert memory.fits == expected
    assert np.isnan(held_out[images.folds_N == 2]).all()
    assert not np.isnan(held_out[images.folds_N != 2]).any()


def test_left_out_folds_do_not_influence_what_is_left() -> None:
    rng = np.random.default_rng(1)
    images = images_of(*draw_members(rng, 120, (1.8, 1.5)))
    other = images_of(images.probs_MNK.copy(), images.labels_N.copy())
    rows = other.where(frozenset({3}))
    other.labels_N[rows] = rng.integers(7, size=len(rows))
    other.probs_MNK[:, rows] = rng.dirichlet(np.ones(7), size=(2, len(rows)))
    for method in ("weighted", "greedy", "stacking"):
        first, second = (
            cross_fit_method(Fitting(one), method, "accuracy").held_out(frozenset({3}))
            for one in (images, other)
        )
        np.testing.assert_array_equal(first, second)


def test_the_temperature_comes_from_images_that_the_rule_was_not_fitted_to() -> None:
    images = images_of(*draw_members(np.random.default_rng(2), 60, (1.8,) * 6))
    final = cross_fit_method(Fitting(images), "stacking", "accuracy").final()
    cross_fitted = np.zeros((60, 7))
    for fold in range(5):
        fit, held = np.flatnonzero(images.folds_N != fold), images.where(frozenset({fold}))
        rule = fit_rule("stacking", images.probs_MNK[:, fit], images.labels_N[fit], "accuracy")
        cross_fitted[held] = rule.combine(images.probs_MNK[:, held])
    assert final.temperature == pytest.approx(fit_temperature(cross_fitted, images.labels_N))
    in_sample = fit_temperature(final.rule.combine(images.probs_MNK), images.labels_N)
    assert final.temperature > 1.2 * in_sample


def test_with_separate_images_one_fit_predicts_all_images_to_choose_on() -> None:
    rng = np.random.default_rng(3)
    fit_on, choose_on = (images_of(*draw_members(rng, 80, (1.8, 1.2))) for _ in range(2))
    candidate = cross_fit_method(Fitting(fit_on, choose_on), "weighted", "accuracy")
    rule = fit_rule("weighted", fit_on.probs_MNK, fit_on.labels_N, "accuracy")
    final = candidate.final()
    assert final.rule == rule
    expected = apply_temperature(rule.combine(choose_on.probs_MNK), final.temperature)
    np.testing.assert_array_equal(candidate.held_out(), expected)
    some = candidate.held_out(frozenset({0}))
    np.testing.assert_array_equal(some[choose_on.folds_N != 0], expected[choose_on.folds_N != 0])


@pytest.mark.parametrize("folds", [3, 4])
def test_few_folds_suffice_for_the_choice_within_folds(folds: int) -> None:
    images = images_of(*draw_members(np.random.default_rng(4), 30, (1.8, 1.2)), folds)
    candidate = cross_fit_method(Fitting(images), "weighted", "log_loss")
    assert np.isfinite(candidate.held_out(frozenset({0}))[images.folds_N != 0]).all()
