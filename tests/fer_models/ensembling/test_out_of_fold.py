"""Rules fitted to out-of-fold predictions, so that validation images serve for the choice alone."""

import numpy as np

from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.ensembling.fitting.methods import fit_rule
from fer_models.evaluation.predictions import OUT_OF_FOLD_FILE, out_of_fold_bytes, read_out_of_fold
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities

CONFIG = EnsembleConfig(methods=("weighted", "stacking"))


def with_out_of_fold(store: ArtifactStore, model: ModelRef, skill: float, seed: int) -> ModelRef:
    """The same model with out-of-fold predictions of some skill."""
    info = store.info(model)
    opened = open_snapshot(store, store.ref(SnapshotRef, info["snapshot_id"]))
    labels_N = opened.labels(opened.positions("train"))
    data = out_of_fold_bytes(
        draw_probabilities(labels_N, skill, seed), np.arange(len(labels_N)) % 5
    )
    files = store.describe(model).files
    return store.put(
        ModelRef, f"{model.id}-oof-{skill}", {OUT_OF_FOLD_FILE: data}, info, files, name=model.name
    )


def members(store: ArtifactStore, snapshot: SnapshotRef) -> list[ModelRef]:
    """Two models; the first is better out of fold, the second on validation."""
    plain = [build_model(store, snapshot, f"m{i}", (0.2, 2.5)[i], 10 * i) for i in range(2)]
    return [
        with_out_of_fold(store, model, skill, seed)
        for seed, (model, skill) in enumerate(zip(plain, (4.0, -4.0), strict=True))
    ]


def test_rules_are_fitted_out_of_fold_and_chosen_on_validation(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    models = members(store, snapshot)
    built = ensemble_models(store, snapshot, models, CONFIG)
    content = store.read_json(built, "ensemble.json")
    assert content["fitted_on"] == "train_out_of_fold"
    assert content["weights"]["weighted"][models[0].id] == 1  # the better one out of fold
    assert content["chosen"] == models[1].id  # the better one on validation


def test_copies_of_validation_images_are_not_fitted_to(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    models = members(store, snapshot)
    built = ensemble_models(store, snapshot, models, CONFIG)
    found = [read_out_of_fold(store, opened, model) for model in models]
    out_of_fold = [one for one in found if one is not None]
    groups = find_copies(store, opened).group
    validation = groups[opened.positions("validation")]
    rows = ~np.isin(groups[out_of_fold[0].positions], validation)
    expected = fit_rule(
        "stacking",
        np.stack([one.probs_NK[rows] for one in out_of_fold]),
        out_of_fold[0].labels[rows],
        "accuracy",
    )
    stacking = built.ensembles[1]
    assert store.read_json(stacking, "combination.json")["rule"] == expected.model_dump(mode="json")


def test_one_member_without_them_leaves_all_on_validation(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    models = [members(store, snapshot)[0], build_model(store, snapshot, "m2", 2.0, 5)]
    built = ensemble_models(store, snapshot, models, CONFIG)
    assert store.read_json(built, "ensemble.json")["fitted_on"] == "validation"
