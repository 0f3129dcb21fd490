"""The methods of `ensemble.methods`: fit a rule to the members' probabilities.

M members, N images, K classes.
"""

import numpy as np

from fer_models.combination.rules import MajorityRule, MeanRule, Rule
from fer_models.ensembling.config import Method, Metric
from fer_models.ensembling.fitting.greedy import greedy_counts
from fer_models.ensembling.fitting.stacking import fit_stacking
from fer_models.ensembling.fitting.weights import mixture_weights
from fer_models.ensembling.scores import Floats, Ints


def fit_rule(method: Method, probs_MNK: Floats, labels_N: Ints, metric: Metric) -> Rule:
    """The rule of a method for these members, fitted to these images.

    Example:
        rule = fit_rule("weighted", probs_MNK, labels_N, "accuracy")
        probs_NK = rule.combine(other_probs_MNK)

    Args:
        method: what to fit.
        probs_MNK: the members' probabilities.
        labels_N: class numbers 0..K-1.
        metric: what `greedy` improves.
    """
    num_members = len(probs_MNK)
    if method == "majority_vote":
        return MajorityRule(num_members=num_members)
    if method == "stacking":
        return fit_stacking(probs_MNK, labels_N)
    if method == "weighted":
        label_probs_NM = probs_MNK[:, np.arange(len(labels_N)), labels_N].T
        weights = mixture_weights(label_probs_NM)
    elif method == "greedy":
        counts = greedy_counts(metric, probs_MNK, labels_N)
        weights = counts / counts.sum()
    else:
        weights = np.full(num_members, 1 / num_members)
    return MeanRule(weights=tuple(weights.tolist()))


def one_member(number: int, num_members: int) -> MeanRule:
    """The rule that predicts what one of the members does."""
    return MeanRule(weights=tuple(float(other == number) for other in range(num_members)))


def used_members(rule: Rule) -> tuple[int, ...]:
    """The numbers of the members that change the rule's predictions."""
    if isinstance(rule, MeanRule):
        return tuple(number for number, weight in enumerate(rule.weights) if weight > 0)
    return tuple(range(rule.num_members))


def restricted(rule: Rule) -> Rule:
    """The same rule for its used members alone."""
    if isinstance(rule, MeanRule):
        return MeanRule(weights=tuple(weight for weight in rule.weights if weight > 0))
    return rule
