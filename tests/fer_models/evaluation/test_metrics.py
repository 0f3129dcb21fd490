"""Metrics compared with scikit-learn, scipy and pandas."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest
from sklearn import metrics as sk

from fer_models.errors import DataError
from fer_models.evaluation import metrics
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.labels import NUM_CLASSES

ALL = list(range(NUM_CLASSES))
Case = tuple[Floats, Ints]


@st.composite
def predictions(draw: st.DrawFn, min_classes: int = 1) -> Case:
    """Rows of probabilities (coarse, so that there are ties) and labels of some of the classes."""
    n = draw(st.integers(2, 40))
    weights = draw(hnp.arrays(np.int64, (n, NUM_CLASSES), elements=st.integers(1, 12)))
    present = draw(st.lists(st.sampled_from(ALL), min_size=min_classes, max_size=7, unique=True))
    labels = draw(hnp.arrays(np.int64, n, elements=st.sampled_from(present)))
    labels[: len(present)] = present[: len(labels)]
    return weights / weights.sum(axis=1, keepdims=True), labels


@given(predictions())
def test_accuracy_and_confusion_match_sklearn(case: Case) -> None:
    probs, labels = case
    predicted = probs.argmax(axis=1)
    assert metrics.accuracy(probs, labels) == pytest.approx(sk.accuracy_score(labels, predicted))
    np.testing.assert_array_equal(
        metrics.confusion_matrix(probs, labels), sk.confusion_matrix(labels, predicted, labels=ALL)
    )


@given(predictions())
def test_class_scores_match_sklearn(case: Case) -> None:
    probs, labels = case
    predicted = probs.argmax(axis=1)
    expected = sk.precision_recall_fscore_support(labels, predicted, labels=ALL, zero_division=0)
    scores = metrics.class_scores(metrics.confusion_matrix(probs, labels))
    for ours, theirs in zip(
        (scores.precision, scores.recall, scores.f1, scores.n), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs)


@given(predictions())
def test_averages_exclude_the_same_classes_as_sklearn(case: Case) -> None:
    probs, labels = case
    predicted = probs.argmax(axis=1)
    confusion = metrics.confusion_matrix(probs, labels)
    present = sorted(set(labels))
    recall = sk.recall_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert metrics.balanced_accuracy(confusion) == pytest.approx(recall)
    f1 = sk.f1_score(labels, predicted, average="macro", zero_division=0)
    assert metrics.macro_f1(confusion) == pytest.approx(f1)


@given(predictions())
def test_macro_precision_and_recall_and_kappa_match_sklearn(case: Case) -> None:
    probs, labels = case
    predicted = probs.argmax(axis=1)
    confusion = metrics.confusion_matrix(probs, labels)
    scores = sk.precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    assert metrics.macro_precision(confusion) == pytest.approx(scores[0])
    assert metrics.macro_recall(confusion) == pytest.approx(scores[1])
    kappa = metrics.cohens_kappa(confusion)
    if kappa is None:
        assert set(labels) == set(predicted)
        assert len(set(labels)) == 1
    else:
        assert kappa == pytest.approx(sk.cohen_kappa_score(labels, predicted))


# Of many rows the first ones were moved apart by less than a float has digits.
_WEIGHTS = np.full((39, NUM_CLASSES), 1)
_WEIGHTS[0] = [2, 2, 1, 2, 2, 2, 2]
_MANY = (_WEIGHTS / _WEIGHTS.sum(axis=1, keepdims=True), np.zeros(39, np.int64))


@given(predictions(), st.integers(1, 6))
@example(_MANY, 5)
def test_top_k_matches_sklearn_without_ties(case: Case, k: int) -> None:
    probs, labels = case
    distinct = probs + np.linspace(0, 1e-6, probs.size).reshape(probs.shape)
    assert all(len(set(row)) == NUM_CLASSES for row in distinct.tolist())
    expected = sk.top_k_accuracy_score(labels, distinct, k=k, labels=ALL)
    assert metrics.is_in_top_k(distinct, labels, k).mean() == pytest.approx(expected)


@given(predictions())
def test_top_1_is_the_accuracy_and_hits_grow_with_k(case: Case) -> None:
    probs, labels = case
    hits = [metrics.is_in_top_k(probs, labels, k) for k in range(1, NUM_CLASSES + 1)]
    assert hits[0].mean() == metrics.accuracy(probs, labels)
    assert all((lower <= upper).all() for lower, upper in itertools.pairwise(hits))
    assert hits[-1].all()


@given(predictions())
def test_log_loss_and_brier_match_sklearn(case: Case) -> None:
    probs, labels = case
    assert metrics.log_loss(probs, labels) == pytest.approx(sk.log_loss(labels, probs, labels=ALL))
    expected = sk.brier_score_loss(labels, probs, labels=ALL, scale_by_half=False)
    assert metrics.brier_score(probs, labels) == pytest.approx(expected)


@given(predictions(min_classes=2))
def test_auroc_matches_sklearn_on_the_classes_present(case: Case) -> None:
    probs, labels = case
    expected = [sk.roc_auc_score(labels == k, probs[:, k]) for k in sorted(set(labels))]
    assert metrics.auroc(probs, labels) == pytest.approx(np.mean(expected))


@given(predictions(min_classes=2))
def test_class_aurocs_match_sklearn_and_are_undefined_for_absent_classes(case: Case) -> None:
    probs, labels = case
    for k, area in enumerate(metrics.class_aurocs(probs, labels)):
        if k in labels:
            assert area == pytest.approx(sk.roc_auc_score(labels == k, probs[:, k]))
        else:
            assert area is None


def test_auroc_of_one_class_is_undefined() -> None:
    probs = np.full((5, NUM_CLASSES), 1 / NUM_CLASSES)
    assert metrics.auroc(probs, np.full(5, 3)) is None


@given(predictions(), st.integers(2, 20))
def test_calibration_error_matches_pandas_bins(case: Case, num_bins: int) -> None:
    probs, labels = case
    table = pd.DataFrame(
        {"confidence": probs.max(axis=1), "correct": probs.argmax(axis=1) == labels}
    )
    bins = pd.cut(table["confidence"], np.linspace(0, 1, num_bins + 1), labels=False)
    expected = sum(
        len(part) / len(table) * abs(part["confidence"].mean() - part["correct"].mean())
        for _, part in table.groupby(bins)
    )
    assert metrics.calibration_error(probs, labels, num_bins) == pytest.approx(expected)


@given(predictions(), st.integers(2, 20))
def test_reliability_bins_hold_every_image_once(case: Case, num_bins: int) -> None:
    probs, labels = case
    bins = metrics.reliability_bins(probs, labels, num_bins)
    assert bins.n.sum() == len(labels)
    assert (bins.accuracy * bins.n).sum() == pytest.approx((probs.argmax(1) == labels).sum())


@given(st.integers(1, 4000), st.data(), st.floats(0.51, 0.999))
def test_wilson_interval_matches_scipy(n: int, data: st.DataObject, confidence: float) -> None:
    correct = data.draw(st.integers(0, n))
    expected = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    low, high = metrics.wilson_interval(correct, n, confidence)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= correct / n <= high <= 1


@pytest.mark.parametrize(("correct", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_interval_rejects_impossible_counts(correct: int, n: int) -> None:
    with pytest.raises(ValueError, match="correct <= images"):
        metrics.wilson_interval(correct, n, 0.95)


def test_a_probability_of_zero_gives_a_finite_loss() -> None:
    probs = np.eye(NUM_CLASSES)[[1]]
    assert metrics.log_loss(probs, np.array([0])) == pytest.approx(-np.log(1e-15))


def test_logits_are_distinguished_from_probabilities() -> None:
    logits = np.array([[3.0, -2.0, 0, 0, 0, 0, 0]])
    with pytest.raises(DataError, match=r"logits\?"):
        metrics.accuracy(logits, np.array([0]))


def test_all_problems_are_reported_together() -> None:
    probs = np.full((3, 5), 0.2)
    probs[1] = 0.3
    with pytest.raises(DataError) as caught:
        metrics.check_predictions(probs, np.array([0, 7]))
    assert len(caught.value.problems) == 2
    assert "0..4, got 0..7" in str(caught.value)
    assert "2 x 5 probabilities, got 3 x 5" in str(caught.value)


def test_nan_is_rejected() -> None:
    probs = np.full((2, NUM_CLASSES), 1 / NUM_CLASSES)
    probs[1, 0] = np.nan
    with pytest.raises(DataError, match="1 rows contain NaN"):
        metrics.log_loss(probs, np.array([0, 1]))


def test_zero_images_are_rejected() -> None:
    with pytest.raises(DataError, match="at least one label"):
        metrics.accuracy(np.zeros((0, NUM_CLASSES)), np.zeros(0, dtype=np.int64))
