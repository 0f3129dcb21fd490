"""The measures of drift: a figure, its threshold, and whether it fired.

M reference images, N recent images, K classes, D features.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_models.drift.confidence import (
    EstimatedAccuracy,
    average_thresholded_confidence,
    difference_of_confidences,
)
from fer_models.drift.config import DriftConfig
from fer_models.drift.results import Measure
from fer_models.drift.statistics import (
    Floats,
    Ints,
    discrepancy,
    homogeneity_p_value,
    jensen_shannon,
    kolmogorov_smirnov,
    population_stability,
    quantile_counts,
)


def image_measure(name: str, reference_M: Floats, recent_N: Floats, config: DriftConfig) -> Measure:
    """An image statistic: PSI, and the Kolmogorov-Smirnov test."""
    psi = population_stability(*quantile_counts(reference_M, recent_N))
    statistic, p_value = kolmogorov_smirnov(reference_M, recent_N)
    before, after = float(reference_M.mean()), float(recent_N.mean())
    return Measure(
        group="image",
        name=name,
        value=psi,
        limit=config.max_psi,
        p_value=p_value,
        fired=psi > config.max_psi and p_value <= config.p_value,
        observed=f"PSI {psi:.3f}, KS {statistic:.3f} (p = {p_value:.2g})",
        threshold=_both(f"PSI above {config.max_psi:g}", config),
        text=f"mean {before:.4g} in training, {after:.4g} in the recent images",
        details={"psi": psi, "ks": statistic, "training_mean": before, "recent_mean": after},
    )


def embedding_measure(
    reference_MD: Floats, recent_ND: Floats, config: DriftConfig, rng: np.random.Generator
) -> Measure:
    """Squared MMD of the embeddings, as a multiple of what chance gives."""
    found = discrepancy(reference_MD, recent_ND, config.permutations, rng)
    # No permutation test can give less than this.
    required = max(config.p_value, 1 / (1 + config.permutations))
    limit = config.max_embedding_ratio
    return Measure(
        group="embedding",
        name="embedding",
        value=found.ratio,
        limit=limit,
        p_value=found.p_value,
        fired=found.ratio > limit and found.p_value <= required,
        observed=f"MMD\u00b2 {found.squared_mmd:.3g}, {found.ratio:.2f} x chance "
        f"(p = {found.p_value:.2g})",
        threshold=_both(f"more than {limit:g} x chance", config),
        text=f"squared MMD {found.squared_mmd:.3g} between {len(reference_MD)} held-out and "
        f"{len(recent_ND)} recent images; chance gives at most {found.chance:.3g} in 99 of 100",
        details={"squared_mmd": found.squared_mmd, "chance": found.chance},
    )


def no_embedding_measure(why: str, config: DriftConfig) -> Measure:
    """The embedding measure when it can't be judged."""
    return Measure(
        group="embedding",
        name="embedding",
        value=0.0,
        limit=config.max_embedding_ratio,
        p_value=None,
        fired=False,
        judged=False,
        observed="-",
        threshold=_both(f"more than {config.max_embedding_ratio:g} x chance", config),
        text=f"not judged: {why}",
        details={},
    )


def class_measure(
    predicted_M: Ints, predicted_N: Ints, classes: Sequence[str], config: DriftConfig
) -> Measure:
    """Predicted classes: PSI, Jensen-Shannon distance and the chi-squared test."""
    before, after = (np.bincount(p, minlength=len(classes)) for p in (predicted_M, predicted_N))
    psi = population_stability(before, after)
    p_value = homogeneity_p_value(before, after)
    distance = jensen_shannon(before, after)
    shares = before / before.sum(), after / after.sum()
    largest = int(np.abs(shares[1] - shares[0]).argmax())
    return Measure(
        group="class",
        name="predicted classes",
        value=psi,
        limit=config.max_psi,
        p_value=p_value,
        fired=psi > config.max_psi and p_value <= config.p_value,
        observed=f"PSI {psi:.3f}, JS {distance:.3f} (p = {p_value:.2g})",
        threshold=_both(f"PSI above {config.max_psi:g}", config),
        text=f"largest change: {classes[largest]}, {100 * shares[0][largest]:.1f} % of the "
        f"validation images, {100 * shares[1][largest]:.1f} % of the recent ones",
        details={"psi": psi, "jensen_shannon": distance},
    )


def accuracy_measures(
    confidence_M: Floats, confidence_N: Floats, accuracy: float, config: DriftConfig
) -> list[Measure]:
    """The estimated accuracy, by the mean and by the thresholded confidence."""
    return [
        _accuracy_measure(
            "accuracy by mean confidence",
            difference_of_confidences(confidence_M, confidence_N, accuracy),
            config,
        ),
        _accuracy_measure(
            "accuracy by thresholded confidence",
            average_thresholded_confidence(confidence_M, confidence_N, accuracy),
            config,
        ),
    ]


def _accuracy_measure(name: str, found: EstimatedAccuracy, config: DriftConfig) -> Measure:
    limit = config.max_accuracy_drop
    return Measure(
        group="accuracy",
        name=name,
        value=found.drop,
        limit=limit,
        p_value=found.p_value,
        fired=found.drop > limit and found.p_value <= config.p_value,
        observed=f"{found.estimate:.4f}, {_points(-found.drop)} (p = {found.p_value:.2g})",
        threshold=_both(f"a drop of more than {100 * limit:g} points", config),
        text=f"estimated {found.estimate:.4f} on the recent images, measured "
        f"{found.validation:.4f} on validation",
        details={"estimate": found.estimate, "validation": found.validation},
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def _both(size: str, config: DriftConfig) -> str:
    return f"{size} and p at most {config.p_value:g}"


def counts_of(predicted: npt.NDArray[np.int64], classes: Sequence[str]) -> dict[str, int]:
    """Number of images by predicted class."""
    counts = np.bincount(predicted, minlength=len(classes))
    return {name: int(counts[number]) for number, name in enumerate(classes)}
