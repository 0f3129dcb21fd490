"""The arithmetic of drift, compared with scipy and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from scipy.stats import chisquare, ks_2samp, ttest_ind
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel

from fer_models.drift.confidence import (
    average_thresholded_confidence,
    difference_of_confidences,
    fit_temperature,
    scale_probabilities,
)
from fer_models.drift.image_measures import image_statistics
from fer_models.drift.statistics import (
    discrepancy,
    homogeneity_p_value,
    jensen_shannon,
    kolmogorov_smirnov,
    mean_drop_p_value,
    population_stability,
    quantile_counts,
)

COUNTS = arrays(np.int64, 7, elements=st.integers(0, 500)).filter(lambda counts: counts.sum() > 0)
VALUES = arrays(np.float64, st.integers(2, 60), elements=st.floats(-100, 100))


@given(COUNTS, COUNTS)
def test_psi_is_the_symmetric_relative_entropy(first: np.ndarray, second: np.ndarray) -> None:
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (first, second))
    expected = rel_entr(p, q).sum() + rel_entr(q, p).sum()
    assert population_stability(first, second) == pytest.approx(expected, abs=1e-12)
    assert population_stability(first, second) == pytest.approx(population_stability(second, first))


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_that_of_scipy(first: np.ndarray, second: np.ndarray) -> None:
    expected = jensenshannon(first, second, base=2)
    assert jensen_shannon(first, second) == pytest.approx(expected, abs=1e-7)


@given(COUNTS, COUNTS)
def test_homogeneity_is_the_chi_squared_test_against_expected_counts(
    first: np.ndarray, second: np.ndarray
) -> None:
    table = np.stack([first, second])
    table = table[:, table.sum(axis=0) > 0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    degrees = table.shape[1] - 1
    if degrees == 0:
        assert homogeneity_p_value(first, second) == 1.0
        return
    reference = chisquare(table.ravel(), expected.ravel(), ddof=table.size - 1 - degrees).pvalue
    assert homogeneity_p_value(first, second) == pytest.approx(reference, rel=1e-6, abs=1e-12)


@given(VALUES, VALUES)
def test_bins_hold_every_value_and_equal_shares_of_the_reference(
    reference: np.ndarray, recent: np.ndarray
) -> None:
    first, second = quantile_counts(reference, recent)
    assert (first.sum(), second.sum()) == (len(reference), len(recent))
    assert len(first) == len(second) >= 2


def test_bins_of_distinct_values_hold_equal_counts() -> None:
    first, _ = quantile_counts(np.arange(1000.0), np.zeros(3))
    assert first.tolist() == [100] * 10


def test_a_constant_reference_still_shows_a_shift() -> None:
    counts = quantile_counts(np.zeros(200), np.ones(200))
    assert population_stability(*counts) > 5


def test_kolmogorov_smirnov_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=300), rng.normal(0.2, size=200)
    expected = ks_2samp(first, second)
    assert kolmogorov_smirnov(first, second) == (expected.statistic, expected.pvalue)


def _squared_mmd_by_loops(first: np.ndarray, second: np.ndarray) -> float:
    pooled = np.concatenate([first, second])
    squared = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
    gamma = 1 / np.median(squared[np.triu_indices(len(pooled), 1)])

    def within(rows: np.ndarray) -> float:
        kernel = rbf_kernel(rows, gamma=gamma)
        return (kernel.sum() - np.trace(kernel)) / (len(rows) * (len(rows) - 1))

    between = rbf_kernel(first, second, gamma=gamma).mean()
    return float(within(first) + within(second) - 2 * between)


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_squared_mmd_is_the_unbiased_estimate_of_its_definition(shift: float) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(40, 5)), rng.normal(shift, size=(25, 5))
    found = discrepancy(first, second, 200, np.random.default_rng(2))
    assert found.squared_mmd == pytest.approx(_squared_mmd_by_loops(first, second), abs=1e-10)
    assert (found.p_value < 0.05) == (shift > 0)


def test_the_mmd_of_the_same_distribution_rarely_fires() -> None:
    rng = np.random.default_rng(3)
    found = [
        discrepancy(rng.normal(size=(30, 3)), rng.normal(size=(30, 3)), 99, rng).p_value
        for _ in range(60)
    ]
    assert 0.3 < np.mean(found) < 0.7
    assert np.mean(np.array(found) <= 0.1) < 0.25


def test_the_drop_of_a_mean_is_welchs_test_for_many_images() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.uniform(size=4000), rng.uniform(size=3000) - 0.02
    expected = ttest_ind(first, second, equal_var=False, alternative="greater").pvalue
    assert mean_drop_p_value(first, second) == pytest.approx(expected, rel=0.02)
    assert mean_drop_p_value(np.ones(5), np.ones(5)) == 1.0


@settings(max_examples=15)
@given(st.floats(0.3, 2.0), st.integers(0, 1000))
def test_the_temperature_undoes_scaled_logits(temperature: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(300, 7)) * 2
    labels = np.array([rng.choice(7, p=row) for row in softmax(logits, axis=1)])
    probs = softmax(logits * temperature, axis=1)
    expected = softmax(logits, axis=1)
    np.testing.assert_allclose(scale_probabilities(probs, temperature), expected, atol=1e-4)
    found = fit_temperature(probs, labels)

    def loss(divisor: float) -> float:
        return log_loss(labels, softmax(np.log(probs) / divisor, axis=1), labels=range(7))

    assert loss(found) <= min(loss(found * 0.97), loss(found * 1.03), loss(temperature)) + 1e-9


def test_thresholded_confidence_is_exact_on_its_own_images() -> None:
    confidence = np.random.default_rng(5).uniform(size=500)
    found = average_thresholded_confidence(confidence, confidence, 0.63)
    assert found.estimate == pytest.approx(0.63)
    assert found.drop == pytest.approx(0)


@pytest.mark.parametrize(("accuracy", "estimate"), [(0.0, 0.0), (1.0, 1.0)])
def test_thresholded_confidence_at_the_ends(accuracy: float, estimate: float) -> None:
    confidence = np.random.default_rng(6).uniform(size=100)
    assert average_thresholded_confidence(confidence, confidence, accuracy).estimate == estimate


def test_less_confidence_means_less_accuracy() -> None:
    rng = np.random.default_rng(7)
    before, after = rng.uniform(0.5, 1, 400), rng.uniform(0.3, 0.8, 400)
    for estimate in (difference_of_confidences, average_thresholded_confidence):
        found = estimate(before, after, 0.8)
        assert found.drop > 0.1
        assert found.p_value < 1e-6
    doc = difference_of_confidences(before, after, 0.8)
    assert doc.estimate == pytest.approx(0.8 - before.mean() + after.mean())


def test_image_statistics_are_those_of_numpy() -> None:
    images = np.random.default_rng(8).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    found = image_statistics(images)
    grey = images.astype(float)
    laplace = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    from scipy.signal import convolve2d

    edges = np.array([convolve2d(image, laplace, mode="valid").std() for image in grey])
    np.testing.assert_allclose(found["brightness"], grey.mean(axis=(1, 2)))
    np.testing.assert_allclose(found["contrast"], grey.std(axis=(1, 2)))
    np.testing.assert_allclose(found["sharpness"], edges)
    np.testing.assert_allclose(found["clipped"], np.isin(images, (0, 255)).mean(axis=(1, 2)))
    assert all(len(values) == 0 for values in image_statistics(images[:0]).values())
