"""Settings of a population: which fields may change during a training, and how they do."""

import math

import numpy as np

from fer_models.errors import ConfigError
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.space import Setting, Value, rounded

# What a training reads anew in every epoch. The rest is fixed when it begins: the network, the
# batches and the optimiser whose moments go along, the length and shape of the schedule.
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
# As in Jaderberg et al. 2017, "PopulationScheduler based training of neural networks".
_FACTORS = (0.8, 1.2)
_REDRAWN_SHARE = 0.25
# For ranges that may hold zero, where a factor would not lead away from it.
_STEP_SHARE = 0.2


def check_population(config: TuningConfig, workers: int = 1) -> None:
    """Refuse what can't be searched by population based training.

    Args:
        config: the search.
        workers: how many the member trains on.

    Raises:
        ConfigError: everything that is wrong.
    """
    problems = [
        f"{dimension.field}: it can't change during a training; population based training takes "
        f"{', '.join(f'{name}*' if name.endswith('.') else name for name in _CHANGEABLE)}"
        for dimension in config.search_space
        if not dimension.field.startswith(_CHANGEABLE)
    ]
    if not config.search_space:
        problems.append("search_space is empty: name at least one field")
    if config.search != "latin_hypercube":
        problems.append(
            f"search={config.search}: a population is drawn once and then changes by itself; set "
            "tuning.search=latin_hypercube"
        )
    if workers > 1:
        problems.append(
            f"training.workers={workers}: members of a population train in one process; set it to 1"
        )
    if config.num_trials < 2:
        problems.append("num_trials=1: a population needs at least 2")
    if config.exchange_epochs >= config.max_epochs:
        problems.append(
            f"exchange_epochs={config.exchange_epochs}, max_epochs={config.max_epochs}: there "
            "would be no exchange; set exchange_epochs below max_epochs"
        )
    if problems:
        raise ConfigError("tuning.scheduler=pbt does not suit the other settings", problems)


def explore_setting(
    setting: Setting, space: tuple[SearchDimension, ...], generator: np.random.Generator
) -> Setting:
    """A setting near the given one, within the bounds of the space; a quarter is drawn anew."""
    return {
        dimension.field: _explored(dimension, setting[dimension.field], generator)
        for dimension in space
    }


def _explored(dimension: SearchDimension, value: Value, generator: np.random.Generator) -> Value:
    redrawn = generator.random() < _REDRAWN_SHARE
    if dimension.kind == "choice":
        choices = dimension.choices
        if redrawn:
            return choices[generator.integers(len(choices))]
        place = choices.index(value) + int(generator.choice((-1, 1)))
        return choices[min(len(choices) - 1, max(0, place))]
    low, high, number = dimension.low, dimension.high, float(value)
    assert low is not None
    assert high is not None
    if dimension.kind == "log_uniform":
        drawn = math.exp(generator.uniform(math.log(low), math.log(high)))
        near = number * float(generator.choice(_FACTORS))
    else:
        drawn = generator.uniform(low, high)
        near = number + float(generator.choice((-1, 1))) * _STEP_SHARE * (high - low)
    found = drawn if redrawn else near
    if dimension.kind == "integer":
        return int(min(math.floor(high), max(math.ceil(low), round(found))))
    return min(high, max(low, rounded(found)))
