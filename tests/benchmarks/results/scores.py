"""Accuracy with intervals on every set, and paired tests of any two on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.intervals import share_of
from fer_models.evaluation.results import Share
from fer_models.history.comparison.paired import CONFIDENCE, PairedDifference, paired_difference
from tests.benchmarks.results.entrants import Entrant
from tests.benchmarks.results.faces import OFFICIAL, LabelledFaces


@dataclass(frozen=True)
class Score:
    """What an entrant has on every set, and against the best one on the whole split.

    `to_best` is None for the best one itself; a negative difference is worse than the best.
    """

    entrant: Entrant
    shares: dict[str, Share]
    to_best: PairedDifference | None


def correct(entrant: Entrant, faces: LabelledFaces) -> npt.NDArray[np.bool_]:
    """Whether the most probable class is the label, N booleans."""
    return np.asarray(entrant.probs_NK.argmax(axis=1) == faces.labels)


def best_of(entrants: Sequence[Entrant], faces: LabelledFaces) -> Entrant:
    """The most accurate one on the whole split; the first one of equals."""
    return max(entrants, key=lambda one: int(correct(one, faces).sum()))


def score_all(entrants: Sequence[Entrant], faces: LabelledFaces) -> list[Score]:
    """Accuracy on every set, and the paired difference to the best one, in the given order."""
    best = best_of(entrants, faces)
    return [
        Score(
            one,
            {name: _share(one, faces, mask) for name, mask in faces.sets.items() if mask.any()},
            None if one is best else against(one, best, faces),
        )
        for one in entrants
    ]


def against(
    one: Entrant, other: Entrant, faces: LabelledFaces, name: str = OFFICIAL
) -> PairedDifference:
    """`one` minus `other` on the same images of a set."""
    mask = faces.sets[name]
    return paired_difference(correct(other, faces)[mask], correct(one, faces)[mask])


def _share(one: Entrant, faces: LabelledFaces, mask: npt.NDArray[np.bool_]) -> Share:
    share = share_of(correct(one, faces)[mask], faces.groups[mask], CONFIDENCE)
    assert share is not None
    return share
