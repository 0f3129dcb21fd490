"""Labels against the votes of FER+'s ten taggers (Barsoum et al. 2016).

N images, K classes, V = 10 votes. The choices are the classes with a vote, in their order, then the
votes that are no class. The majority vote is the choice with the most votes; if two choices share
first place, the vote is a tie and is counted separately.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.labels import VOTE_COLUMNS, FerPlusVote

TIE = "tie"


def choice_names(classes: ClassList) -> tuple[str, ...]:
    """Names of the choices: the classes that have a vote, the other votes, and a tie."""
    return (*(classes.names[k] for k in _voted_classes(classes)), *_other_votes(classes), TIE)


def majority(rows: pd.DataFrame, classes: ClassList) -> npt.NDArray[np.int64]:
    """The majority vote of each of N images, as an index into `choice_names`.

    The last index for a tie, -1 for an image without votes. Votes for one class are added up.
    """
    votes = np.maximum(rows[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64), 0)
    vote_classes = classes.vote_classes()
    columns = [votes[:, vote_classes == k].sum(axis=1) for k in _voted_classes(classes)]
    choices = np.column_stack([*columns, votes[:, vote_classes < 0]])
    most = choices.max(axis=1, initial=0)
    tied = (choices == most[:, None]).sum(axis=1) > 1
    chosen = np.where(tied, choices.shape[1], choices.argmax(axis=1))
    return np.where(most > 0, chosen, -1).astype(np.int64)


def vote_facts(rows: pd.DataFrame, label: str, classes: ClassList) -> dict[str, Any] | None:
    """Compare labels with majority votes; None if no image with votes has such a label.

    Images of a class that taggers could not vote for are left out.

    Args:
        rows: N images with vote columns.
        label: the label column, `given` or `label`.
        classes: what the labels number.

    Returns:
        `n`, `ties`, `agreeing`: numbers of images.
        `agreement`, `agreement_without_ties`: shares 0..1; the first counts a tie as disagreement.
        `confusion`: images by class with a vote and by choice; agreement is the diagonal.
        `choices`: names of the columns, as `choice_names` returns them; the first are the rows.
        `without_vote`: names of the classes that are left out.
    """
    chosen, labels = majority(rows, classes), rows[label].to_numpy(dtype=np.int64)
    shown = _voted_classes(classes)
    voted = (chosen >= 0) & np.isin(labels, shown)
    if not voted.any():
        return None
    names = choice_names(classes)
    cells = np.searchsorted(shown, labels[voted]) * len(names) + chosen[voted]
    counts = np.bincount(cells, minlength=len(shown) * len(names))
    confusion = counts.reshape(len(shown), len(names))
    total, ties = int(voted.sum()), int(confusion[:, -1].sum())
    agreeing = int(np.trace(confusion))
    return {
        "n": total,
        "ties": ties,
        "agreeing": agreeing,
        "agreement": agreeing / total,
        "agreement_without_ties": agreeing / (total - ties) if total > ties else 0.0,
        "choices": list(names),
        "confusion": confusion.tolist(),
        "without_vote": [name for k, name in enumerate(classes.names) if k not in shown],
    }


def _voted_classes(classes: ClassList) -> list[int]:
    """Numbers of the classes that FER+'s taggers could vote for, ascending."""
    return sorted({int(number) for number in classes.vote_classes() if number >= 0})


def _other_votes(classes: ClassList) -> list[str]:
    """Names of the votes that are no class, in file order."""
    numbers = classes.vote_classes()
    others = [vote for vote in FerPlusVote if numbers[vote] < 0]
    return ["not a face" if vote is FerPlusVote.NF else vote.name.lower() for vote in others]
