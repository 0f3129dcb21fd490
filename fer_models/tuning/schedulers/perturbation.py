"""Perturbed settings of a population: which fields may change mid-training, and how."""

import math

import numpy as np

from fer_models.errors import ConfigError
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.space import Setting, Value, rounded

# Fields that may change between the epochs of a training. Others are fixed at its start: network,
# batches, optimiser (its moments are copied), and length and shape of the schedule.
_CHANGEABLE = (
    "network.dropout",
    "training.augment.",
    "training.gradient_clip",
    "training.label_smoothing",
    "training.learning_rate",
    "training.momentum",
    "training.other_learning_rate",
    "training.vote_weight",
    "training.weight_decay",
)
# As in Jaderberg et al. 2017, "Population Based Training of Neural Networks".
_FACTORS = (0.8, 1.2)
_RESAMPLE_PROBABILITY = 0.25
# For ranges that may contain zero, where a factor would have no effect.
_STEP_SHARE = 0.2


def check_population(config: TuningConfig, workers: int = 1) -> None:
    """Reject a search that population based training does not support.

    Args:
        config: the search.
        workers: number of workers that the member trains on.

    Raises:
        ConfigError: all problems together.
    """
    problems = [
        f"{dimension.field}: can't change during a training; population based training supports "
        f"{', '.join(f'{name}*' if name.endswith('.') else name for name in _CHANGEABLE)}; take it "
        "out of tuning.search_space"
        for dimension in config.search_space
        if not dimension.field.startswith(_CHANGEABLE)
    ]
    if not config.search_space:
        problems.append("tuning.search_space is empty: name at least one field")
    if config.search != "latin_hypercube":
        problems.append(
            f"tuning.search={config.search}: a population is drawn once and then perturbed; set "
            "tuning.search=latin_hypercube"
        )
    if workers > 1:
        problems.append(
            f"training.workers={workers}: trials of a population train in one process; set "
            "training.workers=1"
        )
    if config.num_trials < 2:
        problems.append("tuning.num_trials=1: a population needs two; set tuning.num_trials=2")
    if config.exchange_epochs >= config.max_epochs:
        problems.append(
            f"tuning.exchange_epochs={config.exchange_epochs}: trials end before the first "
            f"exchange; set tuning.max_epochs={config.exchange_epochs + 1}"
        )
    if problems:
        raise ConfigError("tuning.scheduler=pbt conflicts with other settings", problems)


def explore_setting(
    setting: Setting, space: tuple[SearchDimension, ...], generator: np.random.Generator
) -> Setting:
    """Perturb each value of a setting, or resample it with probability 1/4, within the space."""
    return {
        dimension.field: _perturbed(dimension, setting[dimension.field], generator)
        for dimension in space
    }


def _perturbed(dimension: SearchDimension, value: Value, generator: np.random.Generator) -> Value:
    resampled = generator.random() < _RESAMPLE_PROBABILITY
    if dimension.kind == "choice":
        choices = dimension.choices
        if resampled:
            return choices[generator.integers(len(choices))]
        index = choices.index(value) + int(generator.choice((-1, 1)))
        return choices[min(len(choices) - 1, max(0, index))]
    low, high, number = dimension.low, dimension.high, float(value)
    assert low is not None
    assert high is not None
    if dimension.kind == "log_uniform":
        drawn = math.exp(generator.uniform(math.log(low), math.log(high)))
        near = number * float(generator.choice(_FACTORS))
    else:
        drawn = generator.uniform(low, high)
        near = number + float(generator.choice((-1, 1))) * _STEP_SHARE * (high - low)
    new = drawn if resampled else near
    if dimension.kind == "integer":
        return int(min(math.floor(high), max(math.ceil(low), round(new))))
    return min(high, max(low, rounded(new)))
