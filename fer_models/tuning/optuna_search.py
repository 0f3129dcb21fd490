"""Settings proposed by Optuna, one trial after the other."""

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
    """Gives every trial its number, in the order of their creation, beside its setting."""

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Number and setting of a new trial."""
        drawn: dict[str, Any] = super().suggest(trial_id) or {}
        space: Any = self._space
        setting = {field: _typed(value, space[field]) for field, value in drawn.items()}
        return {"trial": self._ot_trials[trial_id].number, "setting": setting}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial that told an error has no value to learn from."""
        if result is not None and result.get("error"):
            result, error = None, True
        super().on_trial_complete(trial_id, result, error)


def optuna_search(space: Sequence[SearchDimension], metric: str, seed: int) -> OptunaSearch:
    """A seeded search by tree-structured Parzen estimators for the largest `metric`.

    Source: Bergstra et al. 2011. The first ten settings are independent draws.
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
