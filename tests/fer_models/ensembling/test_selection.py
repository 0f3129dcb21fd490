"""Selection of the candidate, and how well the nested estimate predicts the test score."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fer_models.combination.rules import Floats
from fer_models.ensembling.config import METHODS, EnsembleConfig, Metric
from fer_models.ensembling.scores import Ints, Resampled, Score, score, widened
from fer_models.ensembling.selection import Nested, Selection
from fer_models.evaluation.bootstrap import GroupBootstrap
from tests.fer_models.ensembling.simulated import draw_members, images_of, selection_of


def names_of(selection: Selection) -> list[str]:
    return [contender.name for contender in selection.contenders]


def chosen_name(selection: Selection) -> str:
    return names_of(selection)[selection.choose(range(len(selection.contenders)))]


def selection_for(seed: int, num_images: int, skills: tuple[float, ...], **how: Any) -> Selection:
    rng = np.random.default_rng(seed)
    own_noise = how.pop("own_noise", 0.4)
    members = draw_members(rng, num_images, skills, own_noise)
    return selection_of(images_of(*members), EnsembleConfig(**how))


def test_an_ensemble_that_clearly_gains_is_chosen() -> None:
    assert chosen_name(selection_for(0, 600, (1.8,) * 4, own_noise=0.8)) in METHODS


def test_an_ensemble_within_noise_of_the_best_member_is_not() -> None:
    same = selection_for(0, 300, (1.8, 1.8), own_noise=0.02)
    assert chosen_name(same).startswith("member")
    much = selection_for(0, 300, (1.8,) * 3, own_noise=0.5, min_gain_se=10)
    assert chosen_name(much).startswith("member")


def test_the_gain_counts_in_standard_errors_of_the_paired_difference() -> None:
    plain = selection_for(0, 300, (1.8, 1.8, 1.8), own_noise=0.6, methods=("soft_vote",))
    labels_N, best = plain.images.labels_N, plain.best_member()
    hits = [c.fitted.held_out().argmax(axis=1) == labels_N for c in plain.contenders]
    difference = hits[3].astype(float) - hits[best]
    standard_errors = difference.mean() / (difference.std() / np.sqrt(len(difference)))
    assert 0.5 < standard_errors < 10
    for threshold, expected in (
        (0.8 * standard_errors, "soft_vote"),
        (1.2 * standard_errors, names_of(plain)[best]),
    ):
        config = EnsembleConfig(methods=("soft_vote",), min_gain_se=threshold)
        assert chosen_name(selection_of(plain.images, config)) == expected


def test_of_equally_good_ensembles_the_simplest_is_chosen() -> None:
    methods = ("weighted", "greedy", "soft_vote")
    assert chosen_name(selection_for(0, 500, (1.8,) * 3, own_noise=0.8, methods=methods)) == (
        "soft_vote"
    )


def test_equal_members_are_decided_by_parameters() -> None:
    plain = selection_for(0, 100, (1.8,), methods=("soft_vote",))
    single, vote = plain.contenders
    cheaper = replace(single, parameters=single.parameters - 1, name="zz")
    selection = Selection([single, cheaper, vote], plain.images, EnsembleConfig())
    assert chosen_name(selection) == "zz"


def test_one_member_is_its_own_candidate_whatever_a_method_gains() -> None:
    # Stacking learns the class frequencies.
    alone = selection_for(0, 600, (0.2,), methods=("stacking",), min_gain_se=1)
    assert alone.choose([0, 1]) == 1
    assert alone.eligible == [0]
    assert selection_for(0, 60, (0.2, 0.2), methods=("stacking",)).eligible == [0, 1, 2]


def test_stacking_that_fits_noise_is_not_chosen() -> None:
    for seed in range(3):
        selection = selection_for(seed, 70, (1.8,) * 10, methods=("soft_vote", "stacking"))
        stacking = selection.contenders[-1].fitted
        images = selection.images
        in_sample = score(
            "accuracy", stacking.final().rule.combine(images.probs_MNK), images.labels_N
        )
        others = [
            score("accuracy", contender.fitted.held_out(), images.labels_N)
            for contender in selection.contenders[:-1]
        ]
        assert in_sample > max(others)
        assert chosen_name(selection) != "stacking"


@pytest.mark.parametrize("metric", ["log_loss", "macro_f1"])
def test_other_metrics_choose_by_their_own_direction(metric: Metric) -> None:
    selection = selection_for(0, 200, (2.5, 0.2), methods=("soft_vote",), choose_by=metric)
    assert chosen_name(selection) == "member-0"


def test_nested_choice_never_uses_the_fold_that_it_predicts() -> None:
    selection = selection_for(5, 150, (1.8, 1.8, 1.5), own_noise=0.6)
    nested = selection.nested(range(len(selection.contenders)))
    images = selection.images
    for fold in range(5):
        rows = images.where(frozenset({fold}))
        changed = images_of(images.probs_MNK, images.labels_N.copy())
        changed.labels_N[rows] = (changed.labels_N[rows] + 1) % 7
        again = selection_of(changed, EnsembleConfig())
        assert again.choose(range(len(again.contenders)), frozenset({fold})) == nested.chosen[fold]
        fitted = again.contenders[nested.chosen[fold]].fitted
        np.testing.assert_array_equal(fitted.held_out()[rows], nested.probs_NK[rows])


def test_choices_that_differ_between_folds_widen_the_interval() -> None:
    plain = Score(0.7, 0.65, 0.74)
    assert widened("accuracy", plain, 0.0) == plain
    wider = widened("accuracy", plain, 0.03)
    margin = 1.959964 * 0.03
    assert wider.low == pytest.approx(0.7 - np.hypot(0.05, margin), abs=1e-6)
    assert wider.high == pytest.approx(0.7 + np.hypot(0.04, margin), abs=1e-6)
    assert widened("macro_f1", plain, 9.0) == (0.7, 0, 1)
    assert widened("log_loss", plain, 9.0).high > 10
    scores_A = np.array([0.5, 0.6, 0.8])
    assert Nested(np.zeros((1, 2)), (1, 1, 1), final=1).deviation(scores_A) == 0
    found = Nested(np.zeros((1, 2)), (1, 2, 0), final=1).deviation(scores_A)
    assert found == pytest.approx(np.sqrt((0 + 0.04 + 0.01) / 3))


def _estimates(seed: int, num_images: int, num_members: int) -> tuple[float, float, bool]:
    """Errors of the chosen score and of the nested one, and whether the interval holds the test."""
    rng = np.random.default_rng(seed)
    skills = tuple(1.8 + 0.1 * rng.normal(size=num_members))
    probs_MNK, labels_N = draw_members(rng, num_images, skills)
    selection = selection_of(images_of(probs_MNK, labels_N), EnsembleConfig())
    everything = range(len(selection.contenders))
    repeated = selection.nested(everything)
    chosen = selection.contenders[repeated.final].fitted
    test = _test_accuracy(chosen.final().predict, *draw_members(rng, 20_000, skills))
    held_out = [contender.fitted.held_out() for contender in selection.contenders]
    draws = GroupBootstrap(np.arange(num_images))
    found = Resampled("accuracy", [*held_out, repeated.probs_NK], labels_N, draws)
    deviation = repeated.deviation(found.values_A[:-1])
    nested = widened("accuracy", found.score(len(held_out)), deviation)
    error = found.score(repeated.final).value - test
    return error, nested.value - test, nested.low <= test <= nested.high


def _test_accuracy(predict: Any, probs_MNK: Floats, labels_N: Ints) -> float:
    return float((predict(probs_MNK).argmax(axis=1) == labels_N).mean())


def check_coverage(num_seeds: int, num_images: int, num_members: int, least: float) -> None:
    results = [_estimates(seed, num_images, num_members) for seed in range(num_seeds)]
    chosen_error, nested_error, covered = np.array(results, dtype=float).mean(axis=0)
    assert covered >= least
    assert abs(nested_error) < 0.012
    assert chosen_error > nested_error  # the winner's score is too good


def test_the_interval_of_the_nested_estimate_covers_the_test_score() -> None:
    check_coverage(num_seeds=10, num_images=200, num_members=3, least=0.9)


@pytest.mark.slow
def test_the_interval_covers_the_test_score_over_many_seeds() -> None:
    check_coverage(num_seeds=60, num_images=400, num_members=5, least=0.85)
