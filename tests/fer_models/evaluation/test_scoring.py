"""All metrics of a set of images with their intervals, against scikit-learn and torchmetrics."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.metrics import Ints
from fer_models.evaluation.results import HEADLINES, SplitMetrics
from fer_models.evaluation.scoring import ScoredImages, score_split
from fer_models.evaluation.temperature import apply_temperature

CONFIG = EvaluationConfig(bootstrap_replicates=200)
ROUNDED = 1.1e-6


def images_of(
    labels: Ints, probs_NK: npt.NDArray[np.float64], groups: Ints | None = None, heat: float = 1.3
) -> ScoredImages:
    groups = np.arange(len(labels)) if groups is None else groups
    return ScoredImages(labels, groups, probs_NK, apply_temperature(probs_NK, heat))


def score(images: ScoredImages, config: EvaluationConfig = CONFIG) -> SplitMetrics:
    bootstrap = GroupBootstrap(images.groups, config.bootstrap_replicates, config.bootstrap_seed)
    names = [f"class {k}" for k in range(images.probs_NK.shape[1])]
    return score_split(images, bootstrap, config, names)


def drawn(
    seed: int, num_images: int, num_classes: int, present: int | None = None, levels: int = 0
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Labels of the first `present` classes, and probabilities; few levels make ties, 0 and 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, present or num_classes, num_images)
    weights = rng.random((num_images, num_classes)) ** 2
    weights[np.arange(num_images), labels] += rng.random(num_images)
    if levels:
        weights = np.floor(weights * levels)
        weights[weights.sum(axis=1) == 0, 0] = 1
    return labels, weights / weights.sum(axis=1, keepdims=True)


def reference(labels: Ints, probs: npt.NDArray[np.float64], bins: int) -> dict[str, Any]:
    """The metrics by scikit-learn; of torchmetrics the calibration error."""
    numbers, predicted = list(range(probs.shape[1])), probs.argmax(axis=1)
    macro = sk.precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    present = sorted(set(labels.tolist()))
    one_hot = np.eye(len(numbers))[labels]
    clipped = np.clip(probs, 1e-15, 1)
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.recall_score(
            labels, predicted, labels=present, average="macro", zero_division=0
        ),
        "macro_precision": macro[0],
        "macro_recall": macro[1],
        "macro_f1": macro[2],
        "brier": np.square(probs - one_hot).sum(axis=1).mean(),
        "log_loss": -np.log(clipped[np.arange(len(labels)), labels]).mean(),
        "calibration_error": float(
            multiclass_calibration_error(
                torch.from_numpy(probs), torch.from_numpy(labels), len(numbers), bins
            )
        ),
    }
    if len(present) > 1:
        areas = [sk.roc_auc_score(labels == k, probs[:, k]) for k in present]
        expected["auroc"] = float(np.mean(areas))
        expected["kappa"] = sk.cohen_kappa_score(labels, predicted)
    return expected


@given(
    seed=st.integers(0, 2**16),
    num_images=st.integers(1, 60),
    num_classes=st.integers(2, 9),
    absent=st.integers(0, 3),
    levels=st.sampled_from([0, 0, 1, 3]),
)
def test_values_match_the_references_and_lie_within_their_intervals(
    seed: int, num_images: int, num_classes: int, absent: int, levels: int
) -> None:
    labels, probs = drawn(seed, num_images, num_classes, max(1, num_classes - absent), levels)
    found = score(images_of(labels, probs))
    expected = reference(labels, probs, CONFIG.calibration_bins)
    if levels:  # torchmetrics assigns confidences on the edge of a bin to the next one
        del expected["calibration_error"]
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=2e-6), name
    assert (found.top2_accuracy is None) == (num_classes <= 2)
    assert (found.top5_accuracy is None) == (num_classes <= 5)
    assert set(found.intervals) <= set(HEADLINES)
    for headline in found.headlines():
        if headline.low is not None and headline.high is not None:
            assert headline.low < headline.high
            limits = (0, np.inf) if headline.name in ("log_loss", "brier") else (-1, 1)
            assert limits[0] <= headline.low
            assert headline.high <= limits[1]
    low, high = found.intervals["accuracy"]
    assert low <= found.accuracy <= high


@pytest.mark.parametrize(
    ("labels", "probs"),
    [
        ([2], [[0.2, 0.3, 0.5]]),
        ([0], [[0.0, 1.0]]),
        ([1, 1, 1], [[0.5, 0.5]] * 3),
        ([0, 1], [[1.0, 0.0], [1.0, 0.0]]),
    ],
    ids=["one image", "sure and wrong", "ties of one class", "one right, one wrong"],
)
def test_few_images_have_values_but_no_interval_of_the_bootstrap(
    labels: list[int], probs: list[list[float]]
) -> None:
    found = score(images_of(np.array(labels), np.array(probs)))
    assert next(iter(found.intervals)) == "accuracy"
    assert set(found.intervals) <= {"accuracy", "top2_accuracy", "top5_accuracy"}
    assert np.isfinite([headline.value for headline in found.headlines()]).all()


def test_replicates_are_the_metrics_of_the_drawn_images() -> None:
    labels, probs = drawn(0, 60, 4, present=3)
    groups = np.repeat(np.arange(20), 3)
    images = images_of(labels, probs, groups)
    found = score(images)
    counts_BN = GroupBootstrap(groups, CONFIG.bootstrap_replicates, CONFIG.bootstrap_seed).counts()
    values: dict[str, list[float]] = {}
    for counts in counts_BN.astype(int):
        rows = np.repeat(np.arange(60), counts)
        for name, value in reference(labels[rows], probs[rows], CONFIG.calibration_bins).items():
            values.setdefault(name, []).append(value)
    for name in ("balanced_accuracy", "macro_precision", "macro_recall", "macro_f1", "kappa"):
        expected = percentile_interval(np.array(values[name]), 0.95)
        assert found.intervals[name] == pytest.approx(expected, abs=ROUNDED), name
    for name in ("log_loss", "brier"):
        expected = percentile_interval(np.array(values[name]), 0.95)
        assert found.intervals[name] == pytest.approx(expected, abs=ROUNDED), name
    low, high = percentile_interval(np.array(values["calibration_error"]), 0.95)
    ece = found.calibration_error
    basic = (max(0, 2 * ece - high), max(ece, 2 * ece - low))
    assert found.intervals["calibration_error"] == pytest.approx(basic, abs=2e-6)


def test_copies_do_not_narrow_any_interval() -> None:
    labels, probs = drawn(1, 240, 7)
    alone = score(images_of(labels, probs))
    copied = score(
        images_of(np.repeat(labels, 4), np.repeat(probs, 4, axis=0), np.repeat(np.arange(240), 4))
    )
    ignored = score(images_of(np.repeat(labels, 4), np.repeat(probs, 4, axis=0)))
    assert (copied.n, copied.num_groups) == (960, 240)
    assert set(copied.intervals) == set(alone.intervals) == set(HEADLINES)
    for name, (low, high) in copied.intervals.items():
        expected = alone.intervals[name]
        width = expected[1] - expected[0]
        assert (low, high) == pytest.approx(expected, abs=0.02 * width), name
        narrow = ignored.intervals[name]
        if not name.startswith("calibration"):  # cut at 0
            assert narrow[1] - narrow[0] < 0.65 * width, name


def test_classes_have_their_areas_and_intervals() -> None:
    labels, probs = drawn(2, 300, 3)
    found = score(images_of(labels, probs))
    for k, one in enumerate(found.per_class.values()):
        assert one.auroc == pytest.approx(sk.roc_auc_score(labels == k, probs[:, k]))
        for name in ("precision", "recall", "f1", "auroc"):
            low, high = one.intervals[name]
            assert low < getattr(one, name) < high


def test_scaling_changes_the_second_calibration_error_only() -> None:
    labels, probs = drawn(3, 400, 5)
    cold, hot = (score(images_of(labels, probs, heat=heat)) for heat in (0.5, 2.0))
    assert cold.calibration_error == hot.calibration_error
    assert cold.calibration_error_scaled != hot.calibration_error_scaled
    unscaled = score(ScoredImages(labels, np.arange(400), probs, None))
    assert unscaled.calibration_error_scaled is None
    assert "calibration_error_scaled" not in unscaled.intervals
    assert unscaled.log_loss == hot.log_loss


def test_the_calibration_interval_of_a_calibrated_model_reaches_zero() -> None:
    rng = np.random.default_rng(4)
    probs = rng.dirichlet(np.ones(5), 2000)
    labels = np.array([rng.choice(5, p=row) for row in probs])
    found = score(images_of(labels, probs))
    low, high = found.intervals["calibration_error"]
    assert low == 0
    assert found.calibration_error <= high
