"""Ensembles of stored models, and selection of the candidate."""

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation
from fer_models.evaluation.metrics import Floats
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities


def _stored(store: ArtifactStore, model: ModelRef, split: str) -> Floats:
    with np.load(store.fetch(model, "probabilities.npz")) as arrays:
        return arrays[split]


def _members(
    store: ArtifactStore, snapshot: SnapshotRef, skills: tuple[float, ...] = (1.5, 2.0, 1.0)
) -> list[ModelRef]:
    return [build_model(store, snapshot, f"m{i}", s, 10 * i) for i, s in enumerate(skills)]


def test_soft_vote_is_the_mean_of_the_members(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    result = ensemble_models(store, snapshot, members, EnsembleConfig(methods=("soft_vote",)))
    (vote,) = result.ensembles
    for split in ("validation", "test"):
        expected = np.mean([_stored(store, m, split) for m in members], axis=0)
        np.testing.assert_allclose(_stored(store, vote, split), expected, atol=1e-6)
    assert [row["model_id"] for row in store.read_json(vote, "members.json")] == [
        m.id for m in members
    ]


def test_weighted_has_the_lowest_validation_loss_of_all(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    result = ensemble_models(store, snapshot, members, EnsembleConfig(choose_by="log_loss"))
    assert result.candidate.name == "ensemble-weighted"
    tried = store.read_json(result, "ensemble.json")
    losses = [c["validation"]["log_loss"] for c in tried["candidates"]]
    assert min(losses) == losses[-1]
    assert sum(tried["weights"]["weighted"].values()) == pytest.approx(1)


def test_candidate_has_the_best_validation_score(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    for metric in ("accuracy", "macro_f1"):
        result = ensemble_models(
            store, snapshot, _members(store, snapshot), EnsembleConfig(choose_by=metric)
        )
        tried = store.read_json(result, "ensemble.json")
        best = max(tried["candidates"], key=lambda c: c["validation"][metric])
        assert result.candidate.id == tried["chosen"] == best["model_id"]


def test_the_test_split_is_not_used(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    labels = {s: opened.labels(opened.positions(s)) for s in ("validation", "test")}

    def model(name: str, validation_skill: float, test_skill: float) -> ModelRef:
        probabilities = {
            "validation": draw_probabilities(labels["validation"], validation_skill, 1),
            "test": draw_probabilities(labels["test"], test_skill, 2),
        }
        return build_model(store, snapshot, name, probabilities=probabilities)

    good, bad = model("good", 9.0, -9.0), model("bad", -9.0, 9.0)
    assert ensemble_models(store, snapshot, [bad, good], EnsembleConfig()).candidate == good


def test_ties_go_to_the_single_member_then_to_the_smaller_one(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    big = build_model(store, snapshot, "a", 2.0, 1, parameters=900, identity="big")
    small = build_model(store, snapshot, "z", 2.0, 1, parameters=100, identity="small")
    result = ensemble_models(store, snapshot, [big, small], EnsembleConfig())
    assert result.candidate == small


def test_one_member_is_its_own_candidate(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    (member,) = _members(store, snapshot, (2.0,))
    assert ensemble_models(store, snapshot, [member], EnsembleConfig()).candidate == member


def test_same_members_give_the_same_artifacts(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    first = ensemble_models(store, snapshot, members, EnsembleConfig())
    assert ensemble_models(store, snapshot, members, EnsembleConfig()) == first


def test_ensembles_are_models_like_any_other(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    result = ensemble_models(store, snapshot, _members(store, snapshot), EnsembleConfig())
    for ensemble in result.ensembles:
        info = store.info(ensemble)
        assert (info["kind"], ensemble.kind) == ("ensemble", "ensemble")
        evaluation = evaluate_model(store, snapshot, ensemble, EvaluationConfig())
        scores = read_evaluation(store, evaluation).splits["validation"]
        assert scores.accuracy == pytest.approx(info["validation_accuracy"])
        lineage = store.read_json(ensemble, "lineage.json")
        assert lineage["dataset_sha"] == snapshot.id
        assert len(lineage["members"]) == 3


def test_a_useless_member_is_left_out_of_the_weighted_ensemble(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot, (3.0, -6.0))
    result = ensemble_models(store, snapshot, members, EnsembleConfig(methods=("weighted",)))
    (ensemble,) = result.ensembles
    assert [row["name"] for row in store.read_json(ensemble, "members.json")] == ["m0"]
    assert store.info(ensemble)["parameters"] == store.info(members[0])["parameters"]


def test_works_without_test_images(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.3, 0.0))
    result = ensemble_models(store, snapshot, _members(store, snapshot), EnsembleConfig())
    assert _stored(store, result.ensembles[0], "test").shape == (0, 7)


def test_all_problems_of_the_models_are_reported_together(store: ArtifactStore) -> None:
    snapshot, other = build_snapshot(store), build_snapshot(store, seed=9)
    mine, foreign = build_model(store, snapshot), build_model(store, other, "foreign")
    with pytest.raises(DataError) as caught:
        ensemble_models(store, snapshot, [mine, mine, foreign], EnsembleConfig())
    assert "given more than once" in caught.value.problems[0]
    assert "trained on another snapshot" in caught.value.problems[1]


def test_no_models_and_no_validation_images_are_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.0, 0.3))
    with pytest.raises(DataError) as caught:
        ensemble_models(store, snapshot, [], EnsembleConfig())
    assert len(caught.value.problems) == 2
