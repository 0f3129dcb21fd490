"""Settings proposed by Optuna, one trial at a time."""

import math
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from ray.tune.search.optuna import OptunaSearch

from fer_models.tuning.config import SearchDimension
from fer_models.tuning.space import rounded


class NumberedOptunaSearch(OptunaSearch):
    """Ray's Optuna search, which also numbers the trials in the order of their creation."""

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Number and setting of the next trial."""
        drawn: dict[str, Any] = super().suggest(trial_id) or {}
        space: Any = self._space
        setting = {field: _typed(value, space[field]) for field, value in drawn.items()}
        return {"trial": self._ot_trials[trial_id].number, "setting": setting}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record the result; a trial that reported an error counts as failed."""
        if result is not None and result.get("error"):
            result, error = None, True
        super().on_trial_complete(trial_id, result, error)


def optuna_search(space: Sequence[SearchDimension], metric: str, seed: int) -> OptunaSearch:
    """A seeded search with the tree-structured Parzen estimator (TPE) that maximises `metric`.

    The first ten settings are independent random draws. Source: Bergstra et al. 2011.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {dimension.field: _distribution(dimension) for dimension in space}
    return NumberedOptunaSearch(distributions, metric=metric, mode="max", seed=seed)


def _typed(value: Any, distribution: BaseDistribution) -> Any:
    if not isinstance(distribution, FloatDistribution):
        return value
    return min(distribution.high, max(distribution.low, rounded(value)))


def _distribution(dimension: SearchDimension) -> BaseDistribution:
    if dimension.kind == "choice":
        return CategoricalDistribution(dimension.choices)
    assert dimension.low is not None
    assert dimension.high is not None
    if dimension.kind == "integer":
        return IntDistribution(math.ceil(dimension.low), math.floor(dimension.high))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.kind == "log_uniform")
