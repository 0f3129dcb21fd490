import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import ConfigError
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.schedulers.perturbation import check_population, explore_setting
from fer_models.tuning.space import Setting

SPACE = (
    SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
    SearchDimension(field="training.label_smoothing", kind="uniform", low=0, high=0.2),
    SearchDimension(field="training.augment.rotate_deg", kind="integer", low=0, high=20),
    SearchDimension(field="training.augment.shift", kind="choice", choices=(0.0, 0.05, 0.1)),
)
PBT = TuningConfig(scheduler="pbt", search_space=SPACE)
START: Setting = {
    "training.learning_rate": 1e-2,
    "training.label_smoothing": 0.0,
    "training.augment.rotate_deg": 10,
    "training.augment.shift": 0.05,
}


def _chain(seed: int, length: int) -> list[Setting]:
    generator, setting, found = np.random.default_rng(seed), START, []
    for _ in range(length):
        setting = explore_setting(setting, SPACE, generator)
        found.append(setting)
    return found


@given(st.integers(0, 10_000))
def test_perturbed_settings_stay_within_the_space(seed: int) -> None:
    for setting in _chain(seed, 20):
        assert 1e-3 <= setting["training.learning_rate"] <= 2e-2
        assert 0 <= setting["training.label_smoothing"] <= 0.2
        assert setting["training.augment.rotate_deg"] in range(21)
        assert isinstance(setting["training.augment.rotate_deg"], int)
        assert setting["training.augment.shift"] in (0.0, 0.05, 0.1)


def test_three_quarters_of_the_values_are_perturbed_by_a_factor() -> None:
    generator = np.random.default_rng(0)
    rates = [explore_setting(START, SPACE, generator)["training.learning_rate"] for _ in range(400)]
    near = [rate for rate in rates if rate in (8e-3, 1.2e-2)]
    assert 0.68 < len(near) / len(rates) < 0.82
    assert {8e-3, 1.2e-2} <= set(near)


def test_a_value_of_zero_can_be_perturbed() -> None:
    generator = np.random.default_rng(0)
    found = {
        explore_setting(START, SPACE, generator)["training.label_smoothing"] for _ in range(60)
    }
    assert 0.04 in found
    assert 0.0 in found


def test_the_same_generator_gives_the_same_perturbations() -> None:
    assert _chain(3, 5) == _chain(3, 5)
    assert _chain(3, 5) != _chain(4, 5)


def test_fields_that_may_change_during_a_training_are_accepted() -> None:
    check_population(PBT)


def test_all_problems_of_a_population_are_reported_together() -> None:
    fixed = ("network.width", "training.batch_size", "training.optimizer", "training.accumulate")
    space = (*SPACE, *(SearchDimension(field=f, kind="integer", low=1, high=4) for f in fixed))
    config = PBT.model_copy(
        update={
            "search_space": space,
            "search": "optuna",
            "num_trials": 1,
            "max_epochs": 2,
            "exchange_epochs": 2,
        }
    )
    with pytest.raises(ConfigError) as caught:
        check_population(config)
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == len(fixed) + 3
    for text in (*fixed, "search=optuna", "num_trials=1", "exchange_epochs=2"):
        assert text in problems


def test_a_population_needs_a_search_space() -> None:
    with pytest.raises(ConfigError, match="search_space is empty"):
        check_population(PBT.model_copy(update={"search_space": ()}))
