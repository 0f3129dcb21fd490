import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from fer_models.quality.label_quality import judge_labels


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
    judged = judge_labels(labels, probabilities)
    assert set(np.argsort(judged.quality)[:28]) <= set(range(30))
    assert (judged.suggested[:30] == truth[:30]).mean() > 0.9
    assert judged.is_issue[:30].mean() > 0.8
    assert judged.is_issue[30:].mean() < 0.02


@settings(max_examples=40, deadline=None)
@given(
    weights=st_numpy.arrays(np.float64, (25, 7), elements=st.floats(0.01, 1.0)),
    seed=st.integers(0, 50),
)
def test_quality_is_half_of_one_plus_the_margin(weights: np.ndarray, seed: int) -> None:
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    labels = np.concatenate([np.arange(7), np.random.default_rng(seed).integers(0, 7, size=18)])
    judged = judge_labels(labels, probabilities)
    for row, label in enumerate(labels):
        others = np.delete(probabilities[row], label)
        margin = probabilities[row, label] - others.max()
        assert judged.quality[row] == pytest.approx((1 + margin) / 2, abs=1e-6)
        assert probabilities[row, judged.suggested[row]] == others.max()
        assert judged.suggested[row] != label


def test_classes_that_are_absent_do_no_harm() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([3, 6], 20)
    judged = judge_labels(labels, confident_probabilities(labels, rng))
    assert not judged.is_issue.any()
    assert (judged.quality > 0.5).all()
