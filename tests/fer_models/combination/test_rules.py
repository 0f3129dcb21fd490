"""Rules that combine members, compared with scikit-learn and scipy."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import softmax
from sklearn.ensemble import VotingClassifier

from fer_models.combination.rules import (
    Floats,
    MajorityRule,
    MeanRule,
    Rule,
    StackingRule,
    stacking_features,
)


def draw(members: int, images: int, classes: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), size=(members, images))


def stacking_rule(members: int, classes: int, seed: int = 0) -> StackingRule:
    rng = np.random.default_rng(seed)
    return StackingRule(
        coefficients=rng.normal(size=(classes, members, classes)).round(4).tolist(),
        intercepts=rng.normal(size=classes).round(4).tolist(),
    )


class _Fixed:
    """A fitted scikit-learn classifier with given probabilities."""

    def __init__(self, probs_NK: Floats) -> None:
        self.probs_NK = probs_NK

    def predict_proba(self, _: Any) -> Floats:
        return self.probs_NK

    def predict(self, _: Any) -> np.ndarray:
        return self.probs_NK.argmax(axis=1)


def voting(probs_MNK: Floats, how: str, weights: tuple[float, ...] | None = None) -> Any:
    named = [(str(number), _Fixed(probs)) for number, probs in enumerate(probs_MNK)]
    voter = VotingClassifier(named, voting=how, weights=weights)
    voter.estimators_ = [estimator for _, estimator in named]
    return voter


def test_mean_is_the_soft_vote_of_scikit_learn() -> None:
    probs_MNK, weights = draw(3, 40, 7), (0.2, 0.3, 0.5)
    expected = voting(probs_MNK, "soft", weights).predict_proba(None)
    np.testing.assert_allclose(MeanRule(weights=weights).combine(probs_MNK), expected, atol=1e-12)


def test_weight_zero_ignores_a_member() -> None:
    probs_MNK = draw(2, 5, 4)
    np.testing.assert_array_equal(MeanRule(weights=(0, 1)).combine(probs_MNK), probs_MNK[1])


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 5))
def test_majority_vote_gives_a_class_with_the_most_votes(
    seed: int, members: int, classes: int
) -> None:
    probs_MNK = draw(members, 30, classes, seed)
    predicted_N = MajorityRule(num_members=members).combine(probs_MNK).argmax(axis=1)
    votes_NK = np.stack([np.bincount(v, minlength=classes) for v in probs_MNK.argmax(axis=2).T])
    for row, predicted in enumerate(predicted_N):
        most = np.flatnonzero(votes_NK[row] == votes_NK[row].max())
        mean_K = probs_MNK[:, row].mean(axis=0)
        assert predicted == most[mean_K[most].argmax()]


def test_majority_vote_agrees_with_scikit_learn_without_ties() -> None:
    probs_MNK = draw(5, 200, 4)
    votes_NK = np.stack([np.bincount(v, minlength=4) for v in probs_MNK.argmax(axis=2).T])
    clear = (votes_NK == votes_NK.max(axis=1, keepdims=True)).sum(axis=1) == 1
    voter = voting(probs_MNK, "hard")
    votes_NM = np.stack([one.predict(None) for one in voter.estimators_], axis=1)
    expected = np.array([np.bincount(votes).argmax() for votes in votes_NM])
    found = MajorityRule(num_members=5).combine(probs_MNK).argmax(axis=1)
    assert clear.sum() > 100
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_majority_probabilities_are_vote_shares_with_the_mean_as_one_more_vote() -> None:
    probs_MNK = np.array([[[0.6, 0.4, 0.0]], [[0.1, 0.9, 0.0]]])
    found = MajorityRule(num_members=2).combine(probs_MNK)
    np.testing.assert_allclose(found, [[(1 + 0.35) / 3, (1 + 0.65) / 3, 0]])


def test_stacking_is_the_softmax_of_a_linear_function_of_log_probabilities() -> None:
    probs_MNK, rule = draw(3, 20, 4), stacking_rule(3, 4)
    logs_MNK = np.log(np.maximum(probs_MNK, 1e-6))
    logs_MNK -= logs_MNK.mean(axis=2, keepdims=True)
    scores_NK = np.einsum("kmj,mnj->nk", np.array(rule.coefficients), logs_MNK)
    expected = softmax(scores_NK + np.array(rule.intercepts), axis=1)
    np.testing.assert_allclose(rule.combine(probs_MNK), expected, atol=1e-12)


def test_features_are_by_member_then_class() -> None:
    probs_MNK = draw(2, 3, 4)
    features_NF = stacking_features(probs_MNK)
    assert features_NF.shape == (3, 8)
    np.testing.assert_allclose(features_NF.reshape(3, 2, 4).mean(axis=2), 0, atol=1e-12)
    assert features_NF[0].argmax() % 4 in probs_MNK[:, 0].argmax(axis=1)


@pytest.mark.parametrize(
    "rule", [MeanRule(weights=(0.25, 0.75)), MajorityRule(num_members=2), stacking_rule(2, 5)]
)
def test_rules_give_probabilities_and_survive_json(rule: Rule) -> None:
    probs_MNK = draw(2, 50, 5)
    probs_MNK[0, 0] = np.eye(5)[2]  # certain, with zeros
    combined = rule.combine(probs_MNK)
    assert combined.min() >= 0
    np.testing.assert_allclose(combined.sum(axis=1), 1)
    text = json.dumps(rule.model_dump(mode="json"))
    read: Rule = TypeAdapter(Rule).validate_json(text)
    np.testing.assert_array_equal(read.combine(probs_MNK), combined)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "mean", "weights": [0.5, 0.6]}, "sum to 1"),
        ({"kind": "mean", "weights": [-0.5, 1.5]}, "greater than or equal to 0"),
        ({"kind": "mean", "weights": []}, "at least 1 item"),
        ({"kind": "stacking", "coefficients": [[[1, 2]]], "intercepts": [0, 0]}, "of shape"),
        ({"kind": "stacking", "coefficients": [[[1], [1, 2]]], "intercepts": [0]}, "shape"),
        ({"kind": "best"}, "union_tag_invalid|does not match"),
    ],
)
def test_damaged_rules_are_rejected(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Rule).validate_python(rule)
