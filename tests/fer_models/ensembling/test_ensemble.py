"""Ensembles of stored models, and selection of the candidate."""

import hashlib

import numpy as np
import pytest
from pydantic import ValidationError

from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.config import METHODS, METRICS, EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation
from fer_models.evaluation.metrics import Floats
from fer_models.evaluation.temperature import apply_temperature
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


def test_soft_vote_is_the_calibrated_mean_of_the_members(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    result = ensemble_models(store, snapshot, members, EnsembleConfig(methods=("soft_vote",)))
    (vote,) = result.ensembles
    temperature = store.read_json(vote, "combination.json")["temperature"]
    for split in ("validation", "test"):
        mean = np.mean([_stored(store, m, split).astype(np.float64) for m in members], axis=0)
        expected = apply_temperature(mean, temperature)
        np.testing.assert_allclose(_stored(store, vote, split), expected, atol=1e-6)
    assert [row["model_id"] for row in store.read_json(vote, "members.json")] == [
        m.id for m in members
    ]


def test_stored_probabilities_follow_from_those_of_the_members(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    result = ensemble_models(store, snapshot, _members(store, snapshot), EnsembleConfig())
    assert [model.name for model in result.ensembles] == [f"ensemble-{m}" for m in METHODS]
    for ensemble in result.ensembles:
        combination, members = read_combination(store, ensemble)
        refs = [store.ref(ModelRef, m.model_id, name=m.name) for m in members]
        for split in ("validation", "test"):
            again = combination.predict(np.stack([_stored(store, ref, split) for ref in refs]))
            np.testing.assert_array_equal(again, _stored(store, ensemble, split))


def test_members_are_listed_with_the_sha256_of_their_weights(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    plain = build_model(store, snapshot, "with-weights")
    weights = b"weights"
    files = {name: store.read_file(plain, name) for name in store.describe(plain).files}
    model = store.put(
        ModelRef, "m", {**files, "weights.safetensors": weights}, store.info(plain), name="m"
    )
    config = EnsembleConfig(methods=("soft_vote",))
    other = build_model(store, snapshot, "without-weights", seed=2)
    (ensemble,) = ensemble_models(store, snapshot, [model, other], config).ensembles
    members = store.read_json(ensemble, "members.json")
    assert [member["weights_sha256"] for member in members] == [
        hashlib.sha256(weights).hexdigest(),
        "",
    ]


def test_candidate_is_the_best_member_or_an_ensemble_that_beats_it(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    for metric in METRICS:
        config = EnsembleConfig(choose_by=metric)
        result = ensemble_models(store, snapshot, _members(store, snapshot), config)
        tried = store.read_json(result, "ensemble.json")
        by_id = {c["model_id"]: c for c in tried["candidates"]}
        chosen = by_id[tried["chosen"]]
        assert result.candidate.id == tried["chosen"]
        gain = chosen["gain"]
        is_best = chosen["model_id"] == tried["best_member"]
        assert is_best != (gain["value"] > gain["standard_error"])


def test_a_clear_gain_makes_an_ensemble_the_candidate(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, num_images=900, fractions=(0.2, 0.6, 0.2))
    members = _members(store, snapshot, (2.0, 2.0, 2.0, 2.0))
    assert ensemble_models(store, snapshot, members, EnsembleConfig()).candidate.kind == "ensemble"


def test_the_report_of_the_choice_is_complete(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    result = ensemble_models(store, snapshot, members, EnsembleConfig(folds=4))
    content = store.read_json(result, "ensemble.json")
    assert (content["folds"], content["fitted_on"]) == (4, "validation")
    names = [m.name for m in members] + [f"ensemble-{m}" for m in METHODS]
    assert [c["name"] for c in content["candidates"]] == names
    for candidate in content["candidates"]:
        for metric in METRICS:
            found = candidate["cross_validated"][metric]
            assert found["low"] <= found["value"] <= found["high"]
        assert (candidate["nested"] is None) == (candidate["method"] is None)
        assert candidate["temperature"] > 0
        assert candidate["multiply_adds"] > 0
    assert content["candidates"][3]["multiply_adds"] == sum(
        c["multiply_adds"] for c in content["candidates"][:3]
    )
    assert set(content["nested"]) == {*METRICS, "chosen"}
    assert len(content["nested"]["chosen"]) == 4
    assert [row["members"] for row in content["disagreements"]] == [
        [members[a].id, members[b].id] for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    assert set(content["member_gains"]["by_member"]) == {m.id for m in members}
    assert set(content["weights"]) == set(METHODS) - {"stacking"}
    assert sum(content["weights"]["weighted"].values()) == pytest.approx(1)


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
    (member,) = _members(store, snapshot, (0.5,))  # stacking learns the frequency of classes
    config = EnsembleConfig(min_gain_se=0)
    assert ensemble_models(store, snapshot, [member], config).candidate == member


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
        members = store.read_json(ensemble, "members.json")
        assert lineage["members"] == [member["model_id"] for member in members]


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


def test_an_ensemble_is_no_member(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = _members(store, snapshot)
    config = EnsembleConfig(methods=("soft_vote",))
    (vote,) = ensemble_models(store, snapshot, members, config).ensembles
    with pytest.raises(DataError, match="pass its members instead"):
        ensemble_models(store, snapshot, [members[0], vote], config)


def test_a_method_given_twice_is_rejected() -> None:
    with pytest.raises(ValidationError, match="each method once, got greedy"):
        EnsembleConfig(methods=("greedy", "soft_vote", "greedy"))


def test_no_models_and_no_validation_images_are_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.0, 0.3))
    with pytest.raises(DataError) as caught:
        ensemble_models(store, snapshot, [], EnsembleConfig())
    assert len(caught.value.problems) == 2


def test_a_single_model_is_the_candidate_and_not_combined(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    result = ensemble_models(store, snapshot, [model], EnsembleConfig())
    assert (result.candidate, result.ensembles) == (model, ())
    choice = store.read_json(result, "ensemble.json")
    assert [row["model_id"] for row in choice["candidates"]] == [model.id]
    assert choice["member_gains"]["by_member"] == {}
    assert choice["nested"]["accuracy"]["value"] == pytest.approx(
        store.info(model)["validation_accuracy"], abs=1e-6
    )
