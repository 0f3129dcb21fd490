"""FER2013's labels against the votes of FER+'s ten taggers (Barsoum et al. 2016).

N images, K = 7 classes, V = 10 choices. The majority vote is the choice with the most votes; if two
choices share first place, the vote is a tie and is counted separately.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.labels import (
    CLASS_NAMES,
    NUM_CLASSES,
    VOTE_COLUMNS,
    VOTE_TO_EXPRESSION,
    FerPlusVote,
)

TIE = "tie"
# The seven shared classes in FER2013's order, so that agreement is the diagonal; then the rest.
CHOICES: tuple[FerPlusVote, ...] = (
    *sorted(VOTE_TO_EXPRESSION, key=lambda vote: VOTE_TO_EXPRESSION[vote]),
    *(vote for vote in FerPlusVote if vote not in VOTE_TO_EXPRESSION),
)
CHOICE_NAMES: tuple[str, ...] = (
    *CLASS_NAMES,
    *(
        "not a face" if vote is FerPlusVote.NF else vote.name.lower()
        for vote in CHOICES[NUM_CLASSES:]
    ),
    TIE,
)


def majority(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The majority vote of each of N images, as an index into `CHOICE_NAMES`.

    0..9 for a choice, 10 for a tie, -1 for an image without votes.
    """
    votes = np.maximum(rows[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[:, list(CHOICES)], 0)
    most = votes.max(axis=1, initial=0)
    tied = (votes == most[:, None]).sum(axis=1) > 1
    chosen = np.where(tied, len(CHOICES), votes.argmax(axis=1))
    return np.where(most > 0, chosen, -1).astype(np.int64)


def vote_facts(rows: pd.DataFrame, label: str) -> dict[str, Any] | None:
    """Compare labels with majority votes; None if no labelled image has votes.

    Args:
        rows: N images with vote columns.
        label: the label column, `given` or `label`.

    Returns:
        `n`, `ties`, `agreeing`: numbers of images.
        `agreement`, `agreement_without_ties`: shares 0..1; the first counts a tie as disagreement.
        `confusion`: images by class (K rows) and choice (V + 1 columns).
        `choices`: names of the columns.
    """
    chosen, labels = majority(rows), rows[label].to_numpy(dtype=np.int64)
    voted = (chosen >= 0) & (labels >= 0)
    if not voted.any():
        return None
    cells = labels[voted] * len(CHOICE_NAMES) + chosen[voted]
    counts = np.bincount(cells, minlength=NUM_CLASSES * len(CHOICE_NAMES))
    confusion = counts.reshape(NUM_CLASSES, len(CHOICE_NAMES))
    total, ties = int(voted.sum()), int(confusion[:, -1].sum())
    agreeing = int(np.trace(confusion[:, :NUM_CLASSES]))
    return {
        "n": total,
        "ties": ties,
        "agreeing": agreeing,
        "agreement": agreeing / total,
        "agreement_without_ties": agreeing / (total - ties) if total > ties else 0.0,
        "choices": list(CHOICE_NAMES),
        "confusion": confusion.tolist(),
    }
