"""Selection of the candidate by cross-validated scores, and what the selection is worth.

N images, K classes, A contenders.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_models.ensembling.config import METHODS, EnsembleConfig
from fer_models.ensembling.crossfit import NONE, SINGLE, CrossFitted
from fer_models.ensembling.images import Images
from fer_models.ensembling.scores import Floats, Resampled, loss
from fer_models.evaluation.bootstrap import GroupBootstrap

_ORDER = {SINGLE: 0, **{str(method): number for number, method in enumerate(METHODS, start=1)}}


@dataclass(frozen=True)
class Contender:
    """A member or an ensemble in the selection; `parameters` and `name` settle ties."""

    fitted: CrossFitted
    parameters: int
    name: str

    @property
    def is_single(self) -> bool:
        """Whether it is a member alone."""
        return self.fitted.method == SINGLE

    @property
    def simplicity(self) -> tuple[int, int, str]:
        """Sort key, simplest first: members, then ensembles in the order of `METHODS`."""
        return _ORDER[self.fitted.method], self.parameters, self.name


@dataclass(frozen=True)
class Nested:
    """The selection, repeated without each fold, and its predictions for that fold.

    Attributes:
        probs_NK: of every image by the contender that was chosen without its fold.
        chosen: number of the contender chosen without each fold.
        final: number of the one chosen with all folds.
    """

    probs_NK: Floats
    chosen: tuple[int, ...]
    final: int

    def deviation(self, scores_A: Floats) -> float:
        """How far the choices without a fold are from the final one: root mean square of scores.

        0 if all of them are the same. The estimate is that of the choices without a fold, while
        the score that it stands for is that of the final choice.

        Args:
            scores_A: of all contenders, on the same images.
        """
        differences = scores_A[list(self.chosen)] - scores_A[self.final]
        return float(np.sqrt(np.mean(differences**2)))


class Selection:
    """Chooses among contenders by scores on images that were not used for the predictions.

    An ensemble must beat the best member by more than `min_gain_se` standard errors of the paired
    difference, from a bootstrap over groups of copies. Of the ensembles that do, the simplest one
    that is not beaten by the best of them is chosen; without any, the best member. Members with
    the same score are decided by parameters.
    """

    def __init__(
        self, contenders: Sequence[Contender], images: Images, config: EnsembleConfig
    ) -> None:
        """Prepare the selection.

        Args:
            contenders: at least one single member among them.
            images: the images to choose on.
            config: the metric and the threshold.
        """
        self.contenders = tuple(contenders)
        self.images = images
        self._config = config
        self._resampled: dict[frozenset[int], Resampled] = {}

    @property
    def eligible(self) -> list[int]:
        """The numbers of all contenders; without ensembles if there is one member only."""
        numbers = range(len(self.contenders))
        singles = [number for number in numbers if self.contenders[number].is_single]
        return list(numbers) if len(singles) > 1 else singles

    def choose(self, among: Sequence[int], left_out: frozenset[int] = NONE) -> int:
        """The number of the chosen contender, without the use of some folds.

        Args:
            among: the numbers of the contenders to choose from.
            left_out: folds that must not be used.
        """
        found = self._scores(left_out)
        single = self._best(found, [n for n in among if self.contenders[n].is_single])
        ensembles = [
            number
            for number in among
            if not self.contenders[number].is_single and self._beats(found, number, single)
        ]
        if not ensembles:
            return single
        best = self._best(found, ensembles)
        as_good = [n for n in ensembles if n == best or not self._beats(found, best, n)]
        return min(as_good, key=lambda number: self.contenders[number].simplicity)

    def best_member(self) -> int:
        """The number of the single member with the best cross-validated score."""
        singles = [n for n in self.eligible if self.contenders[n].is_single]
        return self._best(self._scores(NONE), singles)

    def nested(self, among: Sequence[int]) -> Nested:
        """Choose without each fold, and predict that fold by what was chosen.

        A score of these predictions is that of the whole procedure, choice included. The best of
        several cross-validated scores is too good, this one is not.
        """
        probs_NK = np.full(self.images.probs_MNK.shape[1:], np.nan)
        chosen = []
        for fold in sorted(self.images.folds):
            number = self.choose(among, frozenset({fold}))
            rows = self.images.where(frozenset({fold}))
            probs_NK[rows] = self.contenders[number].fitted.held_out()[rows]
            chosen.append(number)
        return Nested(probs_NK, tuple(chosen), self.choose(among))

    def _scores(self, left_out: frozenset[int]) -> Resampled:
        if left_out not in self._resampled:
            metric, images = self._config.choose_by, self.images
            rows = images.where(images.folds - left_out)
            calibrated = metric == "log_loss"  # no temperature changes the other metrics
            self._resampled[left_out] = Resampled(
                metric,
                [c.fitted.held_out(left_out, calibrated=calibrated)[rows] for c in self.contenders],
                images.labels_N[rows],
                GroupBootstrap(images.groups_N[rows]) if left_out else images.bootstrap,
            )
        return self._resampled[left_out]

    def _best(self, found: Resampled, numbers: Sequence[int]) -> int:
        def rank(number: int) -> tuple[float, tuple[int, int, str]]:
            value = loss(self._config.choose_by, float(found.values_A[number]))
            return round(value, 9), self.contenders[number].simplicity

        return min(numbers, key=rank)

    def _beats(self, found: Resampled, new: int, old: int) -> bool:
        difference, standard_error = found.gain(new, old)
        return difference > 0 and difference > self._config.min_gain_se * standard_error
