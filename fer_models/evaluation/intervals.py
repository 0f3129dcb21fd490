"""Intervals of shares and of areas under ROC curves, for images of which some are copies.

N images, K classes, G groups of exact and near duplicates. Images of different groups are
independent, those of one group are not, so all variances are sums over groups. Other metrics have
bootstrap intervals (`scoring`).
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.evaluation.metrics import Floats, Ints, wilson_of_share
from fer_models.evaluation.results import Interval, Share

MIN_GROUPS = 10
"""Fewer groups say nothing about how much an estimate varies."""
_DIGITS = 6
"""Of the ends of intervals: the last bits of sums differ between machines, ids must not."""


def group_codes(groups_N: Ints) -> tuple[Ints, int]:
    """The groups as numbers 0..G-1, and G."""
    codes, groups = pd.factorize(groups_N)
    return codes.astype(np.int64), len(groups)


def around(value: float, low: float, high: float) -> Interval:
    """The ends rounded, so that the value is still between them if it was."""
    ends = round(float(low), _DIGITS), round(float(high), _DIGITS)
    return (
        min(ends[0], value) if low <= value else ends[0],
        max(ends[1], value) if value <= high else ends[1],
    )


def share_of(hits_N: npt.NDArray[np.generic], groups_N: Ints, confidence: float) -> Share | None:
    """The mean of N values 0..1 with its `share_interval`; None without images.

    Example:
        share_of(predicted == labels, copies.group[positions], confidence=0.95)
    """
    if not len(hits_N):
        return None
    low, high = share_interval(hits_N, groups_N, confidence)
    return Share(n=len(hits_N), value=float(hits_N.mean(dtype=np.float64)), low=low, high=high)


def share_interval(
    hits_N: npt.NDArray[np.generic], groups_N: Ints, confidence: float
) -> tuple[float, float]:
    """Wilson interval of the mean of N values 0..1 at the `effective_size` of the images.

    Without copies it is the Wilson interval of N images. It is used for shares instead of the
    bootstrap interval because that shrinks to a point when all or none of the images are hits, and
    covers too little when few are (Brown, Cai, DasGupta 2001; for dependent observations Franco et
    al. 2019, who recommend Wilson at the effective size). Elsewhere both agree.

    Args:
        hits_N: booleans, or expected hits 0..1.
        groups_N: number of the group of each image.
        confidence: level of the interval, 0.5..1.
    """
    share = float(hits_N.mean(dtype=np.float64))
    size = effective_size(hits_N, groups_N)
    return around(share, *wilson_of_share(share, size, confidence))


def effective_size(hits_N: npt.NDArray[np.generic], groups_N: Ints) -> float:
    """The number of independent images with the same variance of the mean.

    N divided by the design effect (Kish 1965): the variance of the mean with groups as sampling
    units, sum_g (hits_g - share * n_g)^2 / N^2, over that of N independent images,
    share * (1 - share) / N. Copies never count as more than independent images. Where the data
    can't show how dependent the copies are (no or only hits, fewer than 10 groups), they count as
    fully dependent: N^2 / sum_g n_g^2.
    """
    codes, num_groups = group_codes(groups_N)
    total = len(hits_N)
    if num_groups == total:
        return float(total)
    sizes = np.bincount(codes, minlength=num_groups).astype(np.float64)
    share = float(hits_N.mean(dtype=np.float64))
    independent = share * (1 - share) * total
    if independent == 0 or num_groups < MIN_GROUPS:
        return float(total**2 / (sizes**2).sum())
    hits = np.bincount(codes, hits_N.astype(np.float64), num_groups)
    clustered = float(((hits - share * sizes) ** 2).sum())
    return float(total / max(1.0, clustered / independent))


def auroc_intervals(
    probs_NK: Floats, labels_N: Ints, groups_N: Ints, confidence: float
) -> tuple[Interval | None, tuple[Interval | None, ...]]:
    """Intervals of the mean one-versus-rest AUROC, and of that of each class.

    DeLong et al. 1988, extended to groups by Obuchowski 1997: the contributions of the images of a
    group are added before they are squared. The variance of the mean over classes is that of the
    mean contributions, so it includes their covariance. The normal interval of the log odds is
    mapped back, which keeps it within 0..1 (Qin, Hotilovac 2008). No resampling: it costs three
    sorts a class.

    Returns:
        None for the mean or a class whose AUROC is undefined, or has no variance in these images
        (fewer than two images in or outside the class, fewer than 10 groups, or a perfect
        separation).
    """
    codes, num_groups = group_codes(groups_N)
    counts = np.bincount(labels_N, minlength=probs_NK.shape[1])
    by_class: list[Interval | None] = []
    areas, contributions = [], []
    for number, count in enumerate(counts):
        if not 0 < count < len(labels_N):
            by_class.append(None)
            continue
        area, parts_N = _contributions(probs_NK[:, number], labels_N == number)
        areas.append(area)
        contributions.append(parts_N)
        by_class.append(_logit_interval(area, parts_N, codes, num_groups, confidence))
    if not areas:
        return None, tuple(by_class)
    mean = float(np.mean(areas))
    parts_N = np.mean(contributions, axis=0)
    return _logit_interval(mean, parts_N, codes, num_groups, confidence), tuple(by_class)


def _contributions(
    scores_N: Floats, positive_N: npt.NDArray[np.bool_]
) -> tuple[float, npt.NDArray[np.float64]]:
    """The area, and what each image adds to its deviation; NaN if a side has one image only."""
    m = int(positive_N.sum())
    n = len(positive_N) - m
    ranks_N = pd.Series(scores_N).rank().to_numpy(dtype=np.float64)
    placements_N = np.empty(len(scores_N))
    own = pd.Series(scores_N[positive_N]).rank().to_numpy(dtype=np.float64)
    placements_N[positive_N] = (ranks_N[positive_N] - own) / n
    own = pd.Series(scores_N[~positive_N]).rank().to_numpy(dtype=np.float64)
    placements_N[~positive_N] = 1 - (ranks_N[~positive_N] - own) / m
    area = float(placements_N[positive_N].mean())
    if min(m, n) < 2:
        return area, np.full(len(scores_N), np.nan)
    size_N = np.where(positive_N, np.sqrt(m * (m - 1.0)), np.sqrt(n * (n - 1.0)))
    return area, (placements_N - area) / size_N


def _logit_interval(
    area: float, parts_N: Floats, codes_N: Ints, num_groups: int, confidence: float
) -> Interval | None:
    error = float(np.sqrt((np.bincount(codes_N, parts_N, num_groups) ** 2).sum()))
    # Rounding leaves traces of a variance that is zero.
    if num_groups < MIN_GROUPS or not 0 < area < 1 or not error > 1e-12:
        return None
    centre = np.log(area / (1 - area))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * error / (area * (1 - area))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (centre - half, centre + half))
    return around(area, low, high)
