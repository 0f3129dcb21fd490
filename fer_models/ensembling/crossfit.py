"""Predictions for every image by rules that were fitted without it and without its copies.

M members, N images, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_models.combination.rules import Rule
from fer_models.combination.stored import Combination
from fer_models.ensembling.config import Method, Metric
from fer_models.ensembling.fitting.methods import fit_rule, one_member
from fer_models.ensembling.images import Images
from fer_models.ensembling.scores import Floats, Ints
from fer_models.evaluation.temperature import apply_temperature, fit_temperature

NONE: frozenset[int] = frozenset()
SINGLE = "single"


@dataclass(frozen=True)
class Fitting:
    """The images that rules are fitted to, and those that they are compared on.

    `choose_on` is None if they are the same ones; then every image is predicted by a rule that
    was fitted without its fold. Otherwise one rule predicts all images to choose on.
    """

    fit_on: Images
    choose_on: Images | None = None

    @property
    def chosen_on(self) -> Images:
        """The images that candidates are compared on."""
        return self.choose_on or self.fit_on

    def without_member(self, number: int) -> "Fitting":
        """The same images without one member."""
        chosen_on = self.choose_on.without_member(number) if self.choose_on else None
        return Fitting(self.fit_on.without_member(number), chosen_on)


class CrossFitted:
    """One candidate, an ensemble or a single member, fitted without any set of folds.

    The temperature of a fit comes from predictions for images that the rule was not fitted to:
    each of its folds is predicted by a rule that was fitted without it as well. In-sample
    probabilities of a fitted rule are too good, and so would be their temperature.
    """

    def __init__(self, fitting: Fitting, fit: Callable[[Floats, Ints], Rule], method: str) -> None:
        """Fit nothing yet; every fit is done once, when it is needed.

        Args:
            fitting: the images.
            fit: makes a rule from the members' probabilities and the labels.
            method: its name.
        """
        self.method = method
        self._fitting = fitting
        self._fit = fit
        self._rules: dict[frozenset[int], Rule] = {}
        self._temperatures: dict[frozenset[int], float] = {}
        self._held_out: dict[tuple[frozenset[int], bool], Floats] = {}

    def final(self) -> Combination:
        """The combination fitted to all images."""
        rule, temperature = self._rule(NONE), self._temperature(NONE)
        return Combination(method=self.method, rule=rule, temperature=temperature)

    def held_out(self, left_out: frozenset[int] = NONE, *, calibrated: bool = True) -> Floats:
        """Probabilities of the images to choose on, none of which was used for its prediction.

        Args:
            left_out: folds that are used for nothing; their rows are NaN.
            calibrated: whether temperatures are applied.
        """
        key = left_out, calibrated
        if key not in self._held_out:
            self._held_out[key] = self._predict(left_out, calibrated)
        return self._held_out[key]

    def _predict(self, left_out: frozenset[int], calibrated: bool) -> Floats:
        images = self._fitting.chosen_on
        shared = self._fitting.choose_on is None
        probs_NK = np.full(images.probs_MNK.shape[1:], np.nan)
        for fold in sorted(images.folds - left_out):
            rows, without = images.where(frozenset({fold})), left_out | {fold} if shared else NONE
            probs_NK[rows] = self._rule(without).combine(images.probs_MNK[:, rows])
            if calibrated:
                temperature = self._temperature(without)
                probs_NK[rows] = apply_temperature(probs_NK[rows], temperature)
        return probs_NK

    def _rule(self, left_out: frozenset[int]) -> Rule:
        if left_out not in self._rules:
            images = self._fitting.fit_on
            rows = images.where(images.folds - left_out)
            self._rules[left_out] = self._fit(images.probs_MNK[:, rows], images.labels_N[rows])
        return self._rules[left_out]

    def _temperature(self, left_out: frozenset[int]) -> float:
        if left_out not in self._temperatures:
            images = self._fitting.fit_on
            folds = images.folds - left_out
            parts, labels = [], []
            for fold in sorted(folds):
                # A rule needs images to be fitted to: the last fold is predicted in-sample.
                rule = self._rule(left_out | {fold} if len(folds) > 1 else left_out)
                rows = images.where(frozenset({fold}))
                parts.append(rule.combine(images.probs_MNK[:, rows]))
                labels.append(images.labels_N[rows])
            temperature = fit_temperature(np.concatenate(parts), np.concatenate(labels))
            self._temperatures[left_out] = temperature
        return self._temperatures[left_out]


def cross_fit_method(fitting: Fitting, method: Method, metric: Metric) -> CrossFitted:
    """A method of `ensemble.methods` on all members."""
    return CrossFitted(
        fitting, lambda probs_MNK, labels_N: fit_rule(method, probs_MNK, labels_N, metric), method
    )


def cross_fit_member(fitting: Fitting, number: int) -> CrossFitted:
    """One of the members alone, of which only the temperature is fitted."""
    rule = one_member(number, len(fitting.fit_on.probs_MNK))
    return CrossFitted(fitting, lambda _probs, _labels: rule, SINGLE)
