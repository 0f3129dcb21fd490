"""Data of the drift figures in the report: the reference next to the validated data."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from validation.drift.reference import Comparison, Sample

_NUM_BINS = 52
_WIDTH, _HEIGHT = 520, 120


@dataclass(frozen=True)
class ClassBars:
    """Shares (0..1) of one class, and the bar lengths as fractions of the longest bar."""

    name: str
    before: float
    after: float
    before_length: float
    after_length: float


@dataclass(frozen=True)
class Outlines:
    """Two histograms over the same bins, as SVG points of a 520 x 120 plot."""

    title: str
    highest: float
    """Upper end of the x axis; the lower end is 0."""
    before: str
    after: str


@dataclass(frozen=True)
class DriftFigures:
    """The content of the drift section of the page."""

    reference_id: str
    num_before: int
    num_after: int
    classes: tuple[ClassBars, ...]
    outlines: tuple[Outlines, ...]


def drift_figures(comparison: Comparison) -> DriftFigures:
    """The figures of a comparison."""
    reference, now = comparison.reference, comparison.now
    # Classes that only the reference has come last.
    names = tuple(dict.fromkeys((*now.classes.names, *reference.classes.names)))
    before, after = (_class_shares(sample, names) for sample in (reference, now))
    longest = float(max(before.max(), after.max())) or 1.0
    return DriftFigures(
        reference_id=comparison.reference_id,
        num_before=len(reference.labels),
        num_after=len(now.labels),
        classes=tuple(
            ClassBars(name, float(b), float(a), float(b) / longest, float(a) / longest)
            for name, b, a in zip(names, before, after, strict=True)
        ),
        outlines=(
            _outlines("mean grey value of the images", reference.means, now.means, 255.0),
            _outlines("standard deviation of the images", reference.stds, now.stds, 128.0),
        ),
    )


def _outlines(
    title: str, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], highest: float
) -> Outlines:
    edges = np.linspace(0.0, highest, _NUM_BINS + 1)
    heights = [_shares(np.histogram(values, edges)[0]) for values in (before, after)]
    top = max(float(height.max()) for height in heights) or 1.0
    points = [_steps(height / top) for height in heights]
    return Outlines(title, highest, *points)


def _steps(heights: npt.NDArray[np.float64]) -> str:
    """The outline of bars with heights 0..1, from left to right."""
    left = np.repeat(np.linspace(0, _WIDTH, _NUM_BINS + 1), 2)
    up = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    return " ".join(f"{x:.0f},{_HEIGHT * (1 - y):.1f}" for x, y in zip(left, up, strict=True))


def _class_shares(sample: Sample, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """The share of each named class; 0 if the sample does not have it."""
    shares = dict(zip(sample.classes.names, _shares(sample.class_counts), strict=True))
    return np.array([shares.get(name, 0.0) for name in names])


def _shares(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))
