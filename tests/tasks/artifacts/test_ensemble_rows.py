"""The table of an ensemble step."""

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.tables import ensemble_rows
from tests.fer_models.builders import build_model, build_snapshot


def test_all_models_and_the_choice_are_listed_with_intervals(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = [build_model(store, snapshot, f"m{i}", 2.0, 10 * i) for i in range(2)]
    config = EnsembleConfig(methods=("soft_vote", "stacking"), choose_by="log_loss")
    built = ensemble_models(store, snapshot, members, config)
    rows = ensemble_rows(store, built)
    names = ["m0", "m1", "ensemble-soft_vote", "ensemble-stacking", "nested estimate"]
    assert [row["model"] for row in rows] == names
    (candidate,) = (row["model"] for row in rows if row["role"] == "candidate")
    assert candidate == built.candidate.name
    assert rows[-1]["role"] == "choice"
    content = store.read_json(built, "ensemble.json")
    for row, entry in zip(rows, [*content["candidates"], None], strict=True):
        assert row["log_loss_low"] <= row["cross_validated_log_loss"] <= row["log_loss_high"]
        assert row["validation_log_loss"] == (entry["validation"]["log_loss"] if entry else None)
        scores = entry["cross_validated"] if entry else content["nested"]
        assert row["cross_validated_accuracy"] == scores["accuracy"]["value"]


def test_beside_the_accuracy_stands_the_log_loss(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = [build_model(store, snapshot, f"m{i}", 2.0, 10 * i) for i in range(2)]
    built = ensemble_models(store, snapshot, members, EnsembleConfig(methods=("soft_vote",)))
    content = store.read_json(built, "ensemble.json")
    *rows, choice = ensemble_rows(store, built)
    for row, entry in zip(rows, content["candidates"], strict=True):
        assert row["cross_validated_log_loss"] == entry["cross_validated"]["log_loss"]["value"]
    assert choice["cross_validated_log_loss"] == content["nested"]["log_loss"]["value"]


def test_models_of_the_same_name_are_told_apart(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    members = [build_model(store, snapshot, name, 2.0, seed) for name, seed in (("m", 0), ("m", 1))]
    members.append(build_model(store, snapshot, "other", 2.0, 2))
    built = ensemble_models(store, snapshot, members, EnsembleConfig(methods=("soft_vote",)))
    listed = [row["model"] for row in ensemble_rows(store, built)[:3]]
    assert listed == [members[0].id, members[1].id, "other"]
