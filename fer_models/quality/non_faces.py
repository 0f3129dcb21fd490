"""Face scores: how much an image looks like a face, from the pixels alone (no labels, no votes).

N images, uint8 N x 48 x 48; R reference rows, mostly faces; G features. The estimators are own
code, although scikit-learn has robust ones: those are randomised and fit one distribution only.
"""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.faces.brightness import brightness_features
from fer_models.faces.gradients import Features, gradient_features
from fer_models.quality.face_warps import WARPS

Positions = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_OUTLIER_FRACTION = 0.03  # of the reference, excluded from the face model
_TRIMMING_ROUNDS = 3
_WARPED_PER_KIND = 2000
# Multiples of the mean variance that are added to each variance.
_EDGE_SHRINKAGE = 1.0
_BRIGHTNESS_SHRINKAGE = 0.3
_DISCRIMINANT_SHRINKAGE = 0.1
_NORMAL_Q10 = 1.2815515655446004  # the normal distribution's 10 % quantile is at minus this
_HALF_SCORE = 10.0  # deviation with a score of 0.5
_DECIMALS = 4
_BLOCK = 4096


def face_scores(images: Images, reference: Positions) -> Values:
    """How much each image looks like an upright, well-framed face.

    Four measures are expressed in robust standard deviations below the reference's median (0 where
    an image is better) and summed to a deviation d. The score is 10 / (10 + d). The measures:

    * edges: Mahalanobis distance of the gradient histogram from the mean face's;
    * brightness: the same for 12 x 12 average grey values, standardised per image;
    * framing: the worst of five linear discriminants between faces and the same faces rotated,
      far away, too close, off centre or shuffled (geometric transformations as synthetic outliers,
      Golan and El-Yaniv 2018);
    * grey levels: logarithm of the number of distinct grey values; graphics and text have few.

    Covariances are shrunk towards a multiple of the identity (Ledoit and Wolf 2004). Those of the
    distances exclude the 3 % most distant reference images (trimming, Rousseeuw 1985).

    Args:
        images: uint8 N x 48 x 48.
        reference: rows that the face model is estimated from, ideally training images without
            duplicates. A few percent of them may be non-faces.

    Returns:
        float64 N, above 0 to 1, lower = less like a face. Rounded to 4 decimals, because linear
        algebra differs in the last bits between machines; in rare cases a score still differs by
        0.0001.

    Raises:
        DataError: the reference is empty.
    """
    if not len(reference):
        raise DataError(
            "expected at least 1 reference image to estimate the face model from, got 0; "
            "pass the rows of training images"
        )
    edges = gradient_features(images)
    measures = (
        _closeness(edges, reference, _EDGE_SHRINKAGE),
        _closeness(brightness_features(images), reference, _BRIGHTNESS_SHRINKAGE),
        _framing(images, edges, reference),
        _grey_levels(images),
    )
    deviation = sum((_deviation(measure, reference) for measure in measures), np.zeros(len(images)))
    scores: Values = np.round(_HALF_SCORE / (_HALF_SCORE + deviation), _DECIMALS)
    return scores


def _closeness(features: Features, reference: Positions, shrinkage: float) -> Values:
    """Negative squared Mahalanobis distance from the mean of the reference."""
    inner = reference
    for _ in range(_TRIMMING_ROUNDS):
        centred = features - features[inner].mean(axis=0)
        precision = np.linalg.inv(_covariance(centred[inner], shrinkage))
        closeness: Values = -((centred @ precision) * centred).sum(axis=1)
        inner = reference[
            closeness[reference] >= np.quantile(closeness[reference], _OUTLIER_FRACTION)
        ]
    return closeness


def _framing(images: Images, edges: Features, reference: Positions) -> Values:
    """Smallest log-odds of a face against each kind of warped face."""
    rng = np.random.default_rng(0)  # of the warps; fixed, as a part of the method
    count = min(_WARPED_PER_KIND, len(reference))
    faces = images[reference[np.linspace(0, len(reference) - 1, count).astype(np.int64)]]
    mean = edges[reference].mean(axis=0)
    face_spread = _covariance(edges[reference] - mean, _DISCRIMINANT_SHRINKAGE)
    log_odds = []
    for warp in WARPS:
        warped = gradient_features(warp(faces, rng))
        warped_mean = warped.mean(axis=0)
        warped_spread = _covariance(warped - warped_mean, _DISCRIMINANT_SHRINKAGE)
        direction = np.linalg.solve((face_spread + warped_spread) / 2, mean - warped_mean)
        log_odds.append((edges - (mean + warped_mean) / 2) @ direction)
    worst: Values = np.min(log_odds, axis=0)
    return worst


def _grey_levels(images: Images) -> Values:
    """Logarithm of the number of distinct grey values."""
    counts = np.empty(len(images), dtype=np.int64)
    for start in range(0, len(images), _BLOCK):
        block = np.sort(images[start : start + _BLOCK].reshape(-1, images[0].size), axis=1)
        counts[start : start + len(block)] = 1 + (np.diff(block, axis=1) != 0).sum(axis=1)
    levels: Values = np.log(counts)
    return levels


def _covariance(centred: Features, shrinkage: float) -> Features:
    """Covariance G x G with `shrinkage` times the mean variance added to each variance."""
    covariance = centred.T @ centred / len(centred)
    mean_variance = np.trace(covariance) / len(covariance)
    # Keeps the matrix regular, even for a single image.
    covariance[np.diag_indices_from(covariance)] += shrinkage * mean_variance + 1e-9
    return covariance


def _deviation(measure: Values, reference: Positions) -> Values:
    """Distance of each value below the reference's median, in robust standard deviations."""
    middle, low = np.quantile(measure[reference], (0.5, 0.1))
    spread = max((middle - low) / _NORMAL_Q10, 1e-9)
    deviation: Values = np.maximum(middle - measure, 0.0) / spread
    return deviation
