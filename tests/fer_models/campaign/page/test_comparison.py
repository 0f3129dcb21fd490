from itertools import chain

import numpy as np
import pytest
from scipy import stats

from fer_models.campaign.page.comparison import Difference, differences, measured_by
from fer_models.campaign.result import TrainingResult
from tests.fer_models.campaign.page.tiny import PLAN, result, results

OURS, THEIRS, LATER = [710, 716, 719], [700, 704, 702], [690, 697, 699]


def difference(name: str, *trained: list[TrainingResult]) -> Difference:
    return differences(PLAN, measured_by(PLAN, [*chain(*trained)]))[name]


def test_one_comparison_has_the_interval_of_students_test() -> None:
    found = difference("new", results("base", THEIRS), results("new", OURS))
    expected = stats.ttest_ind(OURS, THEIRS).confidence_interval(0.95)
    assert found.points == pytest.approx(1.3)
    assert (found.low, found.high) == pytest.approx(
        (expected.low / 10, expected.high / 10), abs=5e-3
    )


def test_two_comparisons_share_dunnetts_interval() -> None:
    trained = [results("base", THEIRS), results("new", OURS), results("later", LATER)]
    spread = np.sqrt(np.mean([np.var(one, ddof=1) for one in (OURS, THEIRS, LATER)]))
    half = 2.86 * spread * np.sqrt(2 / 3) / 10  # Dunnett's table: two comparisons, six degrees
    for name, points in (("new", 1.3), ("later", -100 / 150)):
        found = difference(name, *trained)
        assert found.low == pytest.approx(points - half, abs=0.01)
        assert found.high == pytest.approx(points + half, abs=0.01)
    assert difference("new", *trained) == difference("new", *trained)


def test_a_single_seed_has_a_difference_without_an_interval() -> None:
    assert difference("new", results("base", THEIRS), [result("new", 0, 710)]).low is None
    assert difference("new", [result("base", 0, 700)], results("new", OURS)).low is None
    later = difference(
        "later", results("base", THEIRS), results("new", OURS), results("later", [1])
    )
    assert later == Difference(points=pytest.approx(-70.1))


def test_equal_seeds_have_no_interval() -> None:
    assert difference("new", results("base", [700] * 3), results("new", [710] * 3)).low is None


def test_only_what_has_a_trained_baseline_is_compared() -> None:
    assert differences(PLAN, measured_by(PLAN, results("new", OURS))) == {}
    both = measured_by(PLAN, results("base", THEIRS) + results("later", LATER))
    assert list(differences(PLAN, both)) == ["later"]


def test_what_was_trained_otherwise_under_its_name_is_left_out() -> None:
    trained = [result("new", 1, 720), result("new", 0, 710), result("base", 0, 700)]
    other_plan = PLAN.model_copy(update={"name": "other"})
    assert [one.seed for one in measured_by(PLAN, trained)["new"]] == [0, 1]
    assert "new" not in measured_by(other_plan, trained)
    slower = result("new", 2, 900).model_copy(update={"key": "of other settings"})
    final = result("new", 2, 900).model_copy(update={"scores": {}})
    assert len(measured_by(PLAN, [*trained, slower, final])["new"]) == 2
