import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import ConfigError
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.data import SplitImages
from fer_models.training.inputs.sampling import balanced_subset
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.space import apply_setting, check_space, draw_settings, tunable_fields

MEMBER = MemberConfig(name="member")
FIELD = "training.learning_rate"


@given(
    st.sampled_from(["uniform", "log_uniform", "integer"]),
    st.floats(0.5, 50),
    st.floats(1.5, 100),
    st.integers(1, 20),
    st.integers(0, 10_000),
)
def test_drawn_values_are_within_their_range(
    kind: str, low: float, span: float, num_trials: int, seed: int
) -> None:
    dimension = SearchDimension(field=FIELD, kind=kind, low=low, high=low + span)
    values = [s[FIELD] for s in draw_settings([dimension], num_trials, seed)]
    assert len(values) == num_trials
    assert all(low <= value <= low + span for value in values)
    if kind == "integer":
        assert all(isinstance(value, int) for value in values)


@given(st.integers(1, 12), st.integers(0, 10_000))
def test_settings_are_reproducible_and_cover_the_range(num_trials: int, seed: int) -> None:
    space = TuningConfig().search_space
    drawn = draw_settings(space, num_trials, seed)
    assert drawn == draw_settings(space, num_trials, seed)
    low, high = space[0].low, space[0].high
    assert low is not None
    assert high is not None
    shares = sorted(math.log(float(s[space[0].field]) / low) / math.log(high / low) for s in drawn)
    # Latin hypercube: one value in every T-th of the range, up to rounding.
    for number, share in enumerate(shares):
        assert number / num_trials - 1e-3 <= share <= (number + 1) / num_trials + 1e-3


def test_every_choice_is_tried_if_there_are_enough_trials() -> None:
    dimension = SearchDimension(field="training.optimizer", kind="choice", choices=("adamw", "sgd"))
    drawn = draw_settings([dimension], 2, 0)
    assert {s["training.optimizer"] for s in drawn} == {"adamw", "sgd"}


def test_another_seed_draws_different_settings() -> None:
    space = TuningConfig().search_space
    assert draw_settings(space, 4, 0) != draw_settings(space, 4, 1)


def test_the_default_space_is_valid_for_a_member() -> None:
    check_space(MEMBER, TuningConfig().search_space)


def test_all_problems_of_a_space_are_reported_together() -> None:
    space = [
        SearchDimension(field="training.learning_rat", kind="uniform", low=0, high=1),
        SearchDimension(field="training.epochs", kind="integer", low=1, high=3),
        SearchDimension(field="network.dropout", kind="uniform", low=0.5, high=1.5),
        SearchDimension(field="training.optimizer", kind="choice", choices=("adamw", "lion")),
        SearchDimension(field="training.augment.erase", kind="uniform", low=0, high=1),
        SearchDimension(field="training.augment.erase", kind="uniform", low=0, high=0.5),
    ]
    with pytest.raises(ConfigError) as caught:
        check_space(MEMBER, space)
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    for text in ("learning_rat:", FIELD, "training.epochs:", "1.5", "lion", "more than once"):
        assert text in problems


def test_apply_setting_changes_only_the_named_fields() -> None:
    tuned = apply_setting(MEMBER, {"training.batch_size": 32.0, "network.width": 2.0})
    assert tuned.training.batch_size == 32
    assert tuned.network.width == 2
    back = apply_setting(tuned, {"training.batch_size": 64, "network.width": 1.0})
    assert back == MEMBER


def test_apply_setting_rejects_unknown_fields() -> None:
    with pytest.raises(ConfigError, match=r"training\.learning_rate.*got training\.nothing"):
        apply_setting(MEMBER, {"training.nothing": 1})


def test_tunable_fields_are_leaves() -> None:
    fields = tunable_fields()
    assert "training.augment.erase" in fields
    assert "training.augment" not in fields
    assert "name" not in fields


@given(st.lists(st.integers(0, 60), min_size=1, max_size=7), st.integers(1, 120))
def test_balanced_subset_is_as_even_as_possible(counts: list[int], limit: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    np.random.default_rng(0).shuffle(labels)
    # Each image holds its number, to identify the ones that were taken.
    images = np.arange(len(labels), dtype=np.uint16).reshape(-1, 1, 1)
    subset = balanced_subset(SplitImages(images, labels), limit, seed=0)
    taken = np.bincount(subset.labels, minlength=len(counts))
    assert taken.sum() == min(limit, len(labels))
    assert (taken <= counts).all()
    largest = taken.max(initial=0)
    assert all(t >= min(c, largest - 1) for t, c in zip(taken, counts, strict=True))
    np.testing.assert_array_equal(labels[subset.images[:, 0, 0]], subset.labels)
