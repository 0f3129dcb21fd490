"""FER2013 labels against FER+ votes, compared with scikit-learn and pandas."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.exploration.votes import choice_names, majority, vote_facts
from fer_models.labels import CLASS_NAMES, VOTE_COLUMNS

# FER2013 class -> FER+ vote column of the same expression.
COLUMN_OF = {
    "angry": "votes_anger",
    "disgust": "votes_disgust",
    "fear": "votes_fear",
    "happy": "votes_happiness",
    "sad": "votes_sadness",
    "surprise": "votes_surprise",
    "neutral": "votes_neutral",
    "contempt": "votes_contempt",
    "unknown": "votes_unknown",
    "not a face": "votes_nf",
}


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    votes = rng.multinomial(10, rng.dirichlet(np.full(10, 0.7), 3000))
    table = pd.DataFrame(votes, columns=list(VOTE_COLUMNS)).astype("int8")
    table.iloc[:50] = -1
    table["given"] = rng.integers(0, 7, len(table))
    table.loc[60:80, "given"] = -1
    return table


def reference(rows: pd.DataFrame) -> pd.Series:
    """The majority vote by name, `tie`, or NaN without votes."""
    votes = rows[list(VOTE_COLUMNS)].clip(lower=0)
    winner = votes.idxmax(axis=1).map({column: name for name, column in COLUMN_OF.items()})
    tied = votes.eq(votes.max(axis=1), axis=0).sum(axis=1) > 1
    return winner.mask(tied, "tie").where(votes.sum(axis=1) > 0)


def test_majority_is_the_choice_with_most_votes_or_a_tie(rows: pd.DataFrame) -> None:
    names = pd.Series(
        [
            choice_names(FER2013_CLASSES)[k] if k >= 0 else None
            for k in majority(rows, FER2013_CLASSES)
        ]
    )
    expected = reference(rows)
    assert (names.isna() == expected.isna()).all()
    assert (names.dropna() == expected.dropna()).all()
    assert {"tie", "not a face", "contempt", "happy"} <= set(names.dropna())


def test_confusion_and_agreement_match_scikit_learn(rows: pd.DataFrame) -> None:
    facts = vote_facts(rows, "given", FER2013_CLASSES)
    assert facts is not None
    voted = reference(rows)
    used = voted.notna() & (rows["given"] >= 0)
    labels = rows["given"][used].map(dict(enumerate(CLASS_NAMES)))
    order = [*CLASS_NAMES, "contempt", "unknown", "not a face", "tie"]
    assert facts["choices"] == order
    expected = confusion_matrix(labels, voted[used], labels=order)[: len(CLASS_NAMES)]
    assert facts["confusion"] == expected.tolist()
    assert facts["n"] == used.sum()
    assert facts["agreement"] == pytest.approx(accuracy_score(labels, voted[used]))
    clear = voted[used] != "tie"
    assert facts["ties"] == (~clear).sum()
    without_ties = accuracy_score(labels[clear], voted[used][clear])
    assert facts["agreement_without_ties"] == pytest.approx(without_ties)


def test_no_facts_without_votes_or_without_labels(rows: pd.DataFrame) -> None:
    assert vote_facts(rows.iloc[:50], "given", FER2013_CLASSES) is None
    assert vote_facts(rows.assign(given=-1), "given", FER2013_CLASSES) is None
