import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from fer_models.quality.label_quality import label_issues, label_quality


def confident_probabilities(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    logits = rng.normal(size=(len(classes), 7))
    logits[np.arange(len(classes)), classes] += 6.0
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_wrong_labels_come_first_and_the_true_class_is_suggested() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, size=700)
    probabilities = confident_probabilities(truth, rng)
    labels = truth.copy()
    labels[:30] = (truth[:30] + 1 + rng.integers(0, 6, size=30)) % 7
    quality, suggested = label_quality(labels, probabilities)
    assert set(np.argsort(quality)[:28]) <= set(range(30))
    assert (suggested[:30] == truth[:30]).mean() > 0.9
    issues = label_issues(labels, probabilities)
    assert issues[:30].mean() > 0.8
    assert issues[30:].mean() < 0.02


@settings(max_examples=40)
@given(
    weights=st_numpy.arrays(np.float64, (25, 7), elements=st.floats(0.01, 1.0)),
    seed=st.integers(0, 50),
)
def test_quality_compares_the_label_with_the_most_likely_other_class(
    weights: np.ndarray, seed: int
) -> None:
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    labels = np.concatenate([np.arange(7), np.random.default_rng(seed).integers(0, 7, size=18)])
    quality, suggested = label_quality(labels, probabilities)
    for row, label in enumerate(labels):
        given, others = probabilities[row, label], np.delete(probabilities[row], label)
        share = (given + 0.02) / (given + others.max() + 0.04)
        assert quality[row] == pytest.approx(share, abs=1e-6)
        assert (quality[row] < 0.5) == (given < others.max()) or abs(share - 0.5) < 1e-6
        assert probabilities[row, suggested[row]] == others.max()
        assert suggested[row] != label


@pytest.mark.parametrize("labels", [[3], [3, 3], [0, 1, 2]])
def test_few_labels_or_a_single_class_are_scored(labels: list[int]) -> None:
    probabilities = np.full((len(labels), 7), 0.1)
    probabilities[:, 3] = 0.4
    quality, suggested = label_quality(np.array(labels), probabilities)
    assert ((quality > 0.5) == (np.array(labels) == 3)).all()
    assert label_issues(np.array(labels), probabilities).shape == (len(labels),)
    assert (suggested != labels).all()


def test_missing_classes_cause_no_issues() -> None:
    labels = np.repeat([3, 6], 20)
    probabilities = confident_probabilities(labels, np.random.default_rng(1))
    assert not label_issues(labels, probabilities).any()
    assert (label_quality(labels, probabilities)[0] > 0.5).all()
