"""How unlike the faces of a training an image looks, from its pixels alone.

N images, uint8 N x S x S, or N x S x S x 3; G features of their 48 x 48 thumbnails: 144 of edges,
144 of brightness.
"""

import base64
import io
import zipfile
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import Pixels, to_thumbnails
from fer_models.faces.brightness import brightness_features
from fer_models.faces.gradients import gradient_features
from fer_models.faces.outliers import draw_outliers

Features = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]

MIN_FACES = 500
"""Fewer faces say too little about the others."""
_MAX_FACES = 6000
_HELD_OUT = 3  # every third face
_COMPONENTS = 16
_TRIMMED = 0.03  # of the faces: some are none
_TRIMMING_ROUNDS = 3
_SHRINKAGE = 0.05  # of covariances towards a multiple of the identity
_QUANTILES = np.r_[np.linspace(0, 0.98, 50), np.linspace(0.981, 0.999, 19), 1.0]


@dataclass(frozen=True, eq=False)
class FaceFamiliarity:
    """A model of the faces of a training, a few kilobytes.

    Three measures of an image are standardised by those of held-out faces, and the worst counts:
    the distance of its edges, and of its brightness, from a low-dimensional Gaussian of the faces
    (probabilistic PCA, Tipping and Bishop 1999), and a linear discriminant between faces and drawn
    counterexamples (outlier exposure, Hendrycks et al. 2019).

    Example:
        familiarity = fit_familiarity(training_images)
        familiarity.unfamiliarity(images)  # 0.5 for a typical face, 1.0 for a white image
    """

    edge_mean: Values
    edge_basis: Features
    """Axes scaled to unit variance, G x components, then the scale of what they leave out."""
    brightness_mean: Values
    brightness_basis: Features
    discriminant: Values
    """G weights."""
    centres: Values
    """Of the three measures: the median of held-out faces, and the distance to their 99 %."""
    spreads: Values
    levels: Values
    """Quantiles of the worst measure of held-out faces, see `_QUANTILES`."""

    def unfamiliarity(self, images: Pixels) -> Scores:
        """N scores, 0..1: the share of held-out faces that look more familiar."""
        worst = _worst(_measures(_features(images), self), self.centres, self.spreads)
        return np.interp(worst, self.levels, _QUANTILES).astype(np.float32)

    def to_text(self) -> str:
        """For metadata in JSON, the inverse of `from_text`."""
        stream = io.BytesIO()
        arrays = {one.name: getattr(self, one.name).astype(np.float32) for one in fields(self)}
        np.savez_compressed(stream, **arrays)
        return base64.b64encode(stream.getvalue()).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            ValueError: it is damaged.
        """
        try:
            with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as arrays:
                found = {one.name: arrays[one.name].astype(np.float64) for one in fields(cls)}
        except (OSError, KeyError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError("expected a model of familiar faces, got damaged text") from error
        return cls(**found)


def fit_familiarity(images: Pixels) -> FaceFamiliarity | None:
    """Fit the faces of a training; None if there are fewer than `MIN_FACES`.

    At most 6,000 images are used. A few percent of them may show no face.
    """
    if len(images) < MIN_FACES:
        return None
    rng = np.random.default_rng(0)  # fixed, as a part of the method
    chosen = np.sort(rng.permutation(len(images))[:_MAX_FACES])
    faces = to_thumbnails(images[chosen])
    is_held_out = np.arange(len(faces)) % _HELD_OUT == 0
    fitted, held_out = faces[~is_held_out], faces[is_held_out]
    edges, brightness = _features(fitted)
    edge_mean, edge_basis = _gaussian(edges)
    brightness_mean, brightness_basis = _gaussian(brightness)
    outliers = _features(draw_outliers(fitted, len(fitted) // 2, rng))
    unscaled = FaceFamiliarity(
        edge_mean=edge_mean,
        edge_basis=edge_basis,
        brightness_mean=brightness_mean,
        brightness_basis=brightness_basis,
        discriminant=_discriminant(np.hstack([edges, brightness]), np.hstack(outliers)),
        centres=np.zeros(3),
        spreads=np.ones(3),
        levels=np.arange(len(_QUANTILES), dtype=np.float64),
    )
    return _scaled(unscaled, _features(held_out))


def _scaled(unscaled: FaceFamiliarity, held_out: tuple[Features, Features]) -> FaceFamiliarity:
    """The model with its measures standardised by held-out faces."""
    measures = _measures(held_out, unscaled)
    centres, high = np.quantile(measures, (0.5, 0.99), axis=0)
    spreads = np.maximum(high - centres, 1e-6)
    levels = np.asarray(np.quantile(_worst(measures, centres, spreads), _QUANTILES))
    return replace(unscaled, centres=centres, spreads=spreads, levels=levels)


def _worst(measures: Features, centres: Values, spreads: Values) -> Values:
    worst: Values = ((measures - centres) / spreads).max(axis=1)
    return worst


def _features(images: Pixels) -> tuple[Features, Features]:
    thumbnails = to_thumbnails(images)
    return gradient_features(thumbnails), brightness_features(thumbnails)


def _measures(features: tuple[Features, Features], model: FaceFamiliarity) -> Features:
    """N x 3, higher for what is less like a face."""
    edges, brightness = features
    return np.stack(
        [
            np.log(_distance(edges, model.edge_mean, model.edge_basis)),
            np.log(_distance(brightness, model.brightness_mean, model.brightness_basis)),
            np.hstack([edges, brightness]) @ model.discriminant,
        ],
        axis=1,
    )


def _gaussian(features: Features) -> tuple[Values, Features]:
    """Mean, and the axes of the largest variances; the most distant images are excluded."""
    inner = features
    for _ in range(_TRIMMING_ROUNDS):
        mean = inner.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(inner - mean, rowvar=False))
        rest = variances[:-_COMPONENTS].mean()
        largest = axes[:, -_COMPONENTS:] / np.sqrt(variances[-_COMPONENTS:])
        basis = np.hstack([largest, np.full((len(mean), 1), 1 / np.sqrt(rest))])
        distance = _distance(features, mean, basis)
        inner = features[distance <= np.quantile(distance, 1 - _TRIMMED)]
    return mean, basis


def _distance(features: Features, mean: Values, basis: Features) -> Values:
    """Squared Mahalanobis distance from the Gaussian with these axes and isotropic rest."""
    centred = features - mean
    axes, per_deviation = basis[:, :-1], basis[0, -1]
    lengths = np.linalg.norm(axes, axis=0)
    along = centred @ axes
    beside = (centred**2).sum(axis=1) - ((along / lengths) ** 2).sum(axis=1)
    distance: Values = (along**2).sum(axis=1) + np.maximum(beside, 0) * per_deviation**2
    return distance + 1e-9


def _discriminant(faces: Features, outliers: Features) -> Values:
    """Fisher's linear discriminant, higher for outliers."""
    spread = (np.cov(faces, rowvar=False) + np.cov(outliers, rowvar=False)) / 2
    spread[np.diag_indices_from(spread)] += _SHRINKAGE * np.trace(spread) / len(spread)
    direction: Values = np.linalg.solve(spread, outliers.mean(axis=0) - faces.mean(axis=0))
    return direction
