"""The gate's decision: which candidates are promoted, and what the reason says."""

from dataclasses import replace

import numpy as np
import pytest

from fer_models.labels import CLASS_NAMES
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.decide import GateDecision, decide
from fer_models.promotion.gate.evidence import Bools, DataGate, Evidence, Ints, ModelCost
from fer_models.promotion.gate.row import GateCriterion
from tests.benchmarks.bench_promotion import evidence_of

CONFIG = PromotionConfig()


def paired(both: int, only_candidate: int, only_champion: int, neither: int) -> Evidence:
    """Images in these cells, of all classes alike."""
    counts = [both, only_candidate, only_champion, neither]
    candidate = np.repeat([True, True, False, False], counts)
    champion = np.repeat([True, False, True, False], counts)
    return evidence_of(np.arange(len(candidate)) % 7, candidate, champion)


def row(decision: GateDecision, name: str) -> GateCriterion:
    [found] = [criterion for criterion in decision.criteria if criterion.name == name]
    return found


def costing(evidence: Evidence, candidate: int | None, champion: int | None) -> Evidence:
    assert evidence.champion is not None
    costs = (ModelCost(candidate, candidate), ModelCost(champion, champion))
    return replace(evidence, champion=replace(evidence.champion, costs=lambda: costs))


def with_losses(name: str, lost: int) -> Evidence:
    """A candidate far better than the champion, except on a class of 60 images."""
    number = CLASS_NAMES.index(name)
    labels = np.concatenate([np.full(60, number), np.arange(3000) % 7])
    candidate = np.arange(3060) % 10 != 0
    champion = np.arange(3060) % 10 < 6
    candidate[:60], champion[:60] = True, True
    candidate[:lost] = False
    labels[60:][labels[60:] == number] = (number + 1) % 7
    return evidence_of(labels, candidate, champion)


def test_as_many_gains_as_losses_are_no_reason_for_a_change() -> None:
    decision = decide(paired(2000, 100, 100, 1389), CONFIG)
    assert not decision.promoted
    assert "McNemar p = 1)" in decision.reason
    assert "not distinguishable from the champion" in decision.reason
    assert decision.reason.startswith("Not promoted: 58.51 % against the champion's 58.51 %")


def test_a_clear_gain_is_promoted_and_the_reason_has_its_figures() -> None:
    decision = decide(paired(1900, 300, 226, 784), CONFIG)
    assert decision.promoted
    assert decision.reason.startswith(
        "Promoted: 68.54 % against the champion's 66.23 % on the same 3,210 validation images "
        "(+2.3 points, 95 % interval 0.8 to 3.7; McNemar p = 0.0014)"
    )
    assert decision.reason.endswith("; no class lost")
    assert row(decision, "better").passed
    assert decision.comparison(0.05) is not None


@pytest.mark.parametrize(
    ("better_by", "promoted"), [("mcnemar", False), ("bootstrap", True), ("both", False)]
)
def test_what_counts_as_better_is_a_setting(better_by: str, promoted: bool) -> None:
    evidence = paired(600, 35, 20, 345)  # p = 0.058, but the interval excludes 0
    decision = decide(evidence, PromotionConfig(better_by=better_by))
    assert decision.promoted is promoted


def test_an_equal_candidate_is_promoted_if_it_is_cheaper() -> None:
    evidence = paired(2300, 100, 100, 1089)
    cheaper = decide(costing(evidence, 15_000_000, 48_000_000), CONFIG)
    assert cheaper.promoted
    assert "3.2 times cheaper (15 M multiply-adds against 48 M)" in cheaper.reason
    similar = decide(costing(evidence, 40_000_000, 48_000_000), CONFIG)
    assert not similar.promoted
    assert "not cheaper (40 M multiply-adds against 48 M)" in similar.reason


def test_a_cost_that_is_not_known_is_no_reason_for_a_change() -> None:
    decision = decide(costing(paired(2300, 100, 100, 1089), None, 48), CONFIG)
    assert not decision.promoted
    assert row(decision, "cheaper").outcome == "not judged"


def test_a_cheaper_candidate_that_may_be_worse_is_not_promoted() -> None:
    """30 against 30 of 300 images: a loss of five points is as likely as a gain."""
    decision = decide(costing(paired(150, 30, 30, 90), 1, 48), CONFIG)
    assert not decision.promoted
    assert "can't be excluded on 300 images" in decision.reason
    assert row(decision, "cheaper").outcome == "not judged"


def test_equal_on_very_few_images_is_not_shown_to_be_equal() -> None:
    decision = decide(costing(paired(9, 0, 0, 1), 1, 48), CONFIG)
    assert not row(decision, "not worse").passed


def test_a_demonstrably_worse_candidate_is_not_promoted_within_the_margin() -> None:
    evidence = costing(paired(2300, 100, 150, 1039), 1, 48)
    decision = decide(evidence, PromotionConfig(max_regression=0.05))
    assert row(decision, "not worse").passed
    assert not decision.promoted
    assert "worse than the champion" in decision.reason


@pytest.mark.parametrize("prefer", [True, False])
def test_newer_data_is_a_reason_unless_it_is_switched_off(prefer: bool) -> None:
    candidate, champion = np.ones(3000, dtype=bool), np.ones(3000, dtype=bool)
    candidate[:100], champion[50:150] = False, False
    evidence = evidence_of(np.arange(3000) % 7, candidate, champion, newer=True)
    decision = decide(evidence, PromotionConfig(prefer_newer=prefer))
    assert decision.promoted is prefer
    assert ("trained on newer data" in decision.reason) is prefer


def test_the_first_champion_is_judged_alone() -> None:
    evidence = evidence_of(np.arange(700) % 7, np.arange(700) % 3 != 0, None)
    decision = decide(evidence, CONFIG)
    assert decision.promoted
    assert decision.reason == (
        "Promoted: first champion; 66.57 % of 700 validation images (95 % interval 63 to 70), at "
        "least 30 %; no class is below min_class_recall 10 %"
    )
    assert [one.outcome for one in decision.criteria] == [*["passed"] * 3, *["not judged"] * 2]


def test_all_that_blocks_a_candidate_is_listed() -> None:
    evidence = evidence_of(np.arange(700) % 7, np.arange(700) % 7 == 0, None)
    evidence = replace(evidence, data_gate=DataGate(passed=False, num_errors=2))
    decision = decide(evidence, CONFIG)
    assert not decision.promoted
    for part in ("below min_accuracy 30 %", "disgust (0 of 100 images)", "2 errors"):
        assert part in decision.reason


def test_a_class_that_is_never_recognised_blocks_unless_it_has_few_images() -> None:
    def never(n: int) -> GateDecision:
        labels: Ints = np.concatenate([np.full(n, 1), np.where(np.arange(600) % 7 == 1, 3, 0)])
        correct: Bools = labels != 1
        return decide(evidence_of(labels, correct, None), CONFIG)

    few = never(6)
    assert few.promoted
    named = "disgust (0 of 6 images) is below min_class_recall 10 %, which chance explains"
    assert few.reason.endswith(f"at least 30 %; {named}")
    assert row(few, "class floor").text == named
    assert row(few, "class floor").limit == "no class demonstrably below 10 %"
    large = never(60)
    assert not large.promoted
    assert "below min_class_recall 10 %: disgust (0 of 60 images)" in large.reason


def test_a_class_below_the_floor_by_chance_is_named_beside_the_comparison_with_the_champion() -> (
    None
):
    labels: Ints = np.concatenate(
        [np.full(2, 1), np.full(3, 5), np.where(np.arange(600) % 2, 3, 0)]
    )
    correct, champion = labels >= 0, labels >= 0
    correct[:5], champion[:100] = False, False
    decision = decide(evidence_of(labels, correct, champion), CONFIG)
    assert row(decision, "better").passed
    assert decision.promoted
    assert (
        "; disgust (0 of 2 images), surprise (0 of 3 images) are below min_class_recall 10 %, "
        "which chance explains" in decision.reason
    )


def test_a_lost_class_blocks_a_candidate_that_is_better_on_the_whole() -> None:
    kept = decide(with_losses("fear", 2), CONFIG)
    assert kept.promoted
    assert "no class lost more than 3.3 points" in kept.reason
    lost = decide(with_losses("fear", 20), CONFIG)
    assert row(lost, "better").passed
    assert not lost.promoted
    assert "more than 5 points lost by class: fear 33.3 points (20 of 60 images)" in lost.reason


def test_a_loss_that_chance_explains_is_named_and_blocks_nothing() -> None:
    decision = decide(with_losses("fear", 5), CONFIG)
    assert decision.promoted
    assert "no class lost more than chance explains (most: fear 8.3 points" in decision.reason


def test_a_lost_slice_blocks() -> None:
    evidence = with_losses("fear", 20)
    first = np.arange(3060) < 60
    evidence = replace(evidence, slices={"dark": first, "bright": ~first, "empty": first & ~first})
    decision = decide(evidence, PromotionConfig(max_class_loss=1.0))
    assert not decision.promoted
    assert "lost by slice: dark 33.3 points" in decision.reason


def test_copies_count_as_one_image() -> None:
    evidence = paired(700, 40, 20, 240)
    assert decide(evidence, CONFIG).promoted
    copied = replace(evidence, groups_N=evidence.groups_N // 20)
    assert not decide(copied, CONFIG).promoted


def test_images_that_are_not_compared_do_not_count() -> None:
    evidence = paired(600, 100, 0, 300)
    assert evidence.champion is not None
    without = replace(evidence.champion, compared_N=evidence.champion.correct_N | ~evidence.correct)
    decision = decide(replace(evidence, champion=without), CONFIG)
    assert decision.result is not None
    assert decision.result.counts.n == 900
    assert not decision.promoted


def test_one_picture_in_many_copies_is_no_evidence() -> None:
    """All gains are copies of one image; the other images are single."""
    evidence = paired(600, 50, 0, 350)
    assert decide(evidence, CONFIG).promoted
    groups = np.arange(1000)
    groups[600:650] = 600
    assert not decide(replace(evidence, groups_N=groups), CONFIG).promoted


def test_a_lost_class_of_copies_is_one_lost_image() -> None:
    evidence = with_losses("fear", 20)
    groups = evidence.groups_N.copy()
    groups[:20] = 0
    decision = decide(replace(evidence, groups_N=groups), CONFIG)
    assert row(decision, "class loss").passed


def test_images_that_are_not_compared_are_no_loss_of_their_class() -> None:
    evidence = with_losses("fear", 20)
    assert evidence.champion is not None
    seen = replace(evidence.champion, compared_N=np.arange(3060) >= 20)
    decision = decide(replace(evidence, champion=seen), CONFIG)
    assert row(decision, "class loss").passed
