"""A model and the labels against the votes of FER+'s taggers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.evaluation.crowd import crowd_metrics
from fer_models.evaluation.metrics import Ints
from fer_models.evaluation.results import CrowdMetrics
from fer_models.labels import VOTE_COLUMNS, FerPlusVote

ANGRY, HAPPY, NEUTRAL = 0, 3, 6


def compared(
    votes: Ints, labels: list[int], answers: list[int], classes: ClassList = FER2013_CLASSES
) -> CrowdMetrics | None:
    probs = np.full((len(labels), len(classes)), 0.01)
    probs[np.arange(len(labels)), answers] = 1 - 0.01 * (len(classes) - 1)
    groups = np.arange(len(labels))
    return crowd_metrics(probs, np.array(labels), votes, groups, classes, 0.95)


def votes_for(**counts: int) -> list[int]:
    return [counts.get(column.removeprefix("votes_"), 0) for column in VOTE_COLUMNS]


VOTES = np.array(
    [
        votes_for(happiness=7, neutral=3),
        votes_for(happiness=6, neutral=4),
        votes_for(happiness=5, neutral=5),
        votes_for(nf=9, anger=1),
        votes_for(contempt=5, anger=3, unknown=2),
        [-1] * 10,
    ]
)


def test_each_share_counts_its_images() -> None:
    found = compared(VOTES, [HAPPY] * 6, [HAPPY, NEUTRAL, HAPPY, ANGRY, HAPPY, HAPPY])
    assert found is not None
    assert found.n == 5
    assert found.agreement is not None
    assert (found.agreement.n, found.agreement.value) == (2, 0.5)
    assert found.sure is not None
    assert (found.sure.n, found.sure.value) == (1, 1)
    assert found.split is not None
    assert (found.split.n, found.split.value) == (4, 0.5)
    assert found.oracle.value == pytest.approx((1 + 1 + 0.5 + 0 + 0) / 5)


def test_a_share_without_images_is_none() -> None:
    found = compared(VOTES[:1], [HAPPY], [HAPPY])
    assert found is not None
    assert found.split is None
    assert compared(VOTES[5:], [HAPPY], [HAPPY]) is None


def test_classes_that_the_taggers_could_not_vote_for_have_no_comparison() -> None:
    assert compared(VOTES[:1], [0], [0], ClassList.named(["happy", "bored"])) is None


def test_votes_for_merged_classes_are_added_up() -> None:
    classes = ClassList(
        ("positive", "negative"),
        {"happy": "positive", "surprise": "positive", "sad": "negative", "fear": "negative"},
    )
    votes = np.array([votes_for(happiness=4, surprise=3, sadness=3)])
    found = compared(votes, [0], [0], classes)
    assert found is not None
    assert found.sure is not None
    assert found.oracle.value == 1


@given(st.integers(0, 2**16), st.integers(1, 40))
def test_the_oracle_is_one_that_answers_the_majority(seed: int, num_images: int) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(10, rng.dirichlet(np.full(10, 0.4)), num_images)
    labels, answers = rng.integers(0, 7, (2, num_images))
    emotion_of = {  # written out, as an independent reference
        FerPlusVote.ANGER: "angry",
        FerPlusVote.DISGUST: "disgust",
        FerPlusVote.FEAR: "fear",
        FerPlusVote.HAPPINESS: "happy",
        FerPlusVote.SADNESS: "sad",
        FerPlusVote.SURPRISE: "surprise",
        FerPlusVote.NEUTRAL: "neutral",
    }
    expected, agreeing, decided = 0.0, 0, 0
    for row, label, answer in zip(votes, labels, answers, strict=True):
        majority = [vote for vote in FerPlusVote if row[vote] == row.max()]
        names = [emotion_of.get(vote, "") for vote in majority]
        expected += names.count(FER2013_CLASSES.names[label]) / len(names)
        if len(names) == 1 and names[0]:
            decided += 1
            agreeing += names[0] == FER2013_CLASSES.names[answer]
    found = compared(votes, labels.tolist(), answers.tolist())
    assert found is not None
    assert found.oracle.value == pytest.approx(expected / num_images)
    if decided:
        assert found.agreement is not None
        assert found.agreement.n == decided
        assert found.agreement.value == pytest.approx(agreeing / decided)
    else:
        assert found.agreement is None
