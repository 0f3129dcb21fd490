"""Slices of a set of images, and the gap between the best and the worst of them."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.evaluation.bootstrap import GroupBootstrap
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.metrics import Ints
from fer_models.evaluation.results import SliceColumn
from fer_models.evaluation.scoring import ScoredImages
from fer_models.evaluation.slices import SlicedBy, by_quarter, by_value, score_slices

CONFIG = EvaluationConfig(bootstrap_replicates=500)


def scored(
    correct: npt.NDArray[np.bool_], sliced: SlicedBy, groups: Ints | None = None
) -> tuple[SliceColumn, ...]:
    """Two classes; all labels are 0, and the answer is 0 where it is correct."""
    labels = np.zeros(len(correct), dtype=np.int64)
    probs = np.where(correct[:, None], [[0.8, 0.2]], [[0.2, 0.8]])
    groups = np.arange(len(correct)) if groups is None else groups
    images = ScoredImages(labels, groups, probs, None)
    return score_slices(
        images, [sliced], CONFIG, GroupBootstrap(groups, CONFIG.bootstrap_replicates)
    )


def of_sizes(*sizes: int) -> SlicedBy:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return SlicedBy("group", codes, tuple(f"slice {k}" for k in range(len(sizes))))


def hits(*shares: tuple[int, float]) -> npt.NDArray[np.bool_]:
    """Exactly this share of hits among n images each."""
    parts = [np.arange(n) < round(share * n) for n, share in shares]
    return np.concatenate(parts)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_quarters_follow_the_quartiles_and_keep_equal_values_together(values: list[float]) -> None:
    array = np.array(values)
    found = by_quarter("brightness", array)
    limits = np.unique(np.quantile(array, (0.25, 0.5, 0.75)))
    numbers = [sum(value > limit for limit in limits) for value in values]
    np.testing.assert_array_equal(found.codes, np.unique(numbers, return_inverse=True)[1])
    assert set(found.codes) == set(range(len(found.names)))


def test_quarters_are_named_by_their_limits() -> None:
    found = by_quarter("brightness", np.array([1.0, 2, 3, 4, 5, 6, 7, np.nan]))
    assert found.names == (
        "lowest quarter (to 2.5)",
        "second quarter (over 2.5 to 4)",
        "third quarter (over 4 to 5.5)",
        "highest quarter (over 5.5)",
    )
    assert found.codes.tolist() == [0, 0, 1, 1, 2, 3, 3, -1]
    assert by_quarter("x", np.full(3, np.nan)).names == ()


def test_texts_are_slices_and_the_rare_ones_of_many_are_put_together() -> None:
    found = by_value("gender", pd.Series(["m", "", "f", "m"]))
    assert (found.names, found.codes.tolist()) == (("f", "m"), [1, -1, 0, 1])
    many = by_value("city", pd.Series([f"city {n}" for n in range(13)] + ["city 3"]))
    assert many.names[-1] == "(others)"
    assert len(many.names) == 13
    assert (many.codes == 12).sum() == 1


def test_numbers_with_many_values_are_quarters() -> None:
    ages = pd.Series([str(age) for age in range(20, 60)] + [""])
    assert by_value("age", ages).names[0] == "lowest quarter (to 29.75)"
    assert by_value("age", ages).codes[-1] == -1
    assert by_value("stars", pd.Series(["1", "2", "3"] * 9)).names == ("1", "2", "3")


def test_slices_have_n_accuracy_and_interval() -> None:
    [found] = scored(hits((100, 0.9), (50, 0.5)), of_sizes(100, 50))
    assert [(one.n, one.accuracy) for one in found.slices] == [(100, 0.9), (50, 0.5)]
    assert all(one.low < one.accuracy < one.high for one in found.slices)
    assert found.gap is not None
    assert (found.gap.best, found.gap.worst) == ("slice 0", "slice 1")
    assert found.gap.value == pytest.approx(0.4)
    spread = 1.96 * np.sqrt(0.9 * 0.1 / 100 + 0.25 / 50)
    assert (found.gap.low, found.gap.high) == pytest.approx((0.4 - spread, 0.4 + spread), abs=0.03)


def test_small_slices_are_shown_and_not_compared() -> None:
    [found] = scored(hits((60, 0.7), (60, 0.6), (29, 0)), of_sizes(60, 60, 29))
    assert [one.is_small for one in found.slices] == [False, False, True]
    assert found.gap is not None
    assert found.gap.worst == "slice 1"
    [alone] = scored(hits((60, 0.7), (29, 0)), of_sizes(60, 29))
    assert alone.gap is None


def test_images_without_a_value_are_counted() -> None:
    codes = np.repeat([0, 1, -1], (40, 40, 5))
    [found] = scored(hits((85, 0.5)), SlicedBy("gender", codes, ("f", "m")))
    assert found.num_unknown == 5
    assert sum(one.n for one in found.slices) == 80
    assert scored(hits((9, 0.5)), SlicedBy("gender", np.full(9, -1), ())) == ()


def test_equally_good_slices_rarely_exceed_the_gap_by_chance() -> None:
    rng = np.random.default_rng(0)
    sliced, exceeded = of_sizes(80, 80, 80, 80, 80), 0
    for _ in range(100):
        [found] = scored(rng.random(400) < 0.7, sliced)
        assert found.gap is not None
        exceeded += found.gap.value > found.gap.by_chance
    assert exceeded / 100 <= 0.12


def test_copies_widen_the_gap_interval() -> None:
    correct, sliced = hits((120, 0.8), (120, 0.6)), of_sizes(120, 120)
    groups = np.arange(240) // 4
    [alone], [copied] = scored(correct, sliced), scored(correct, sliced, groups)
    assert alone.gap is not None
    assert copied.gap is not None
    assert copied.gap.high - copied.gap.low > 1.6 * (alone.gap.high - alone.gap.low)
    assert [one.num_groups for one in copied.slices] == [30, 30]
