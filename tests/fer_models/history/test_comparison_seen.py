"""Comparisons leave out what one of the models was trained on, also in an earlier training."""

import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.predictions import AVERAGED, read_predictions
from fer_models.history.comparison.compare import compare_runs
from fer_models.history.comparison.models import compare_models
from fer_models.history.comparison.page import comparison_page
from fer_models.history.comparison.view import common_text
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.history.builders import build_run
from tests.fer_models.lineages import moved, with_lineage, with_members


@pytest.mark.parametrize("relation", ["member", "initial", "averaged", "own"])
def test_images_that_a_model_learned_from_are_left_out(store: ArtifactStore, relation: str) -> None:
    """B, or a model that its weights come from, was trained on 30 of the test images."""
    snapshot = open_snapshot(store, build_snapshot(store, 350, num_leaks=0))
    test = snapshot.positions("test")
    before = moved(store, snapshot, test[:30], "train")
    earlier = build_model(store, before, "earlier", 2.0, 5)
    a, b = (build_model(store, snapshot.ref, name, 1.5, seed) for seed, name in enumerate("ab"))
    if relation == "member":
        b = with_members(store, b, b, earlier)
    elif relation == "own":
        b = earlier
    else:
        facts = {"initial": earlier.id} if relation == "initial" else {AVERAGED: [b.id, earlier.id]}
        b = with_lineage(store, b, **facts)
    for first, second in ((a, b), (b, a)):
        (found,) = compare_models(store, first, second, splits=("test",)).splits
        own = relation == "own"
        assert (found.overall.n, found.common.seen) == (len(test) - 30, 0 if own else 30)
        assert not found.unknown
    correct = read_predictions(store, snapshot, a)["test"].correct[30:]
    assert found.overall.b.accuracy == pytest.approx(correct.mean())


def test_images_that_both_models_learned_from_are_no_advantage(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, 350, num_leaks=0))
    test = snapshot.positions("test")
    earlier = build_model(store, moved(store, snapshot, test[:30], "train"), "earlier", 2.0, 5)
    a, b = (
        with_lineage(store, build_model(store, snapshot.ref, name, 1.5, seed), initial=earlier.id)
        for seed, name in enumerate("ab")
    )
    (found,) = compare_models(store, a, b, splits=("test",)).splits
    assert (found.overall.n, found.common.seen) == (len(test), 0)


def test_a_comparison_says_if_training_images_are_not_known(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, 350))
    a, b = (build_model(store, snapshot.ref, name, 1.5, seed) for seed, name in enumerate("ab"))
    b = with_lineage(store, b, initial="removed")
    (found,) = compare_models(store, a, b, splits=("test",)).splits
    [unknown] = found.unknown
    assert unknown.startswith(f"training images of {b.id} are not known")


def test_models_that_have_learned_from_all_images_can_not_be_compared(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, 350, num_leaks=0))
    learned = moved(store, snapshot, snapshot.positions("test"), "train")
    earlier = build_model(store, learned, "earlier", 2.0, 5)
    a, b = (build_model(store, snapshot.ref, name, 1.5, seed) for seed, name in enumerate("ab"))
    b = with_lineage(store, b, initial=earlier.id)
    with pytest.raises(DataError, match="that neither was trained on"):
        compare_models(store, a, b, splits=("test",))


def test_runs_say_how_many_images_a_candidate_learned_from(store: ArtifactStore) -> None:
    first = build_run(store, 0, 0.4, started_s=0.0, name="first")
    second = build_run(store, 1, 2.6, started_s=1.0, name="second")
    result = compare_runs(store, first.record, second.record)
    assert result.common is not None
    assert (result.common.seen, result.unknown) == (0, ())
    common = result.common.model_copy(update={"seen": 4})
    some = result.model_copy(
        update={"common": common, "unknown": ("b started from one that is gone",)}
    )
    assert common_text(some) == (
        f"{common.n} of {common.n + 4} test images; both runs have the same snapshot; left out: 4 "
        "that a candidate was trained on; b started from one that is gone"
    )
    assert "4 that a candidate was trained on" in comparison_page(store, some)
