"""The candidate against the champion: counts, faces, and images that the champion knows."""

import numpy as np
import numpy.typing as npt
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.predictions import read_predictions
from fer_models.labels import CLASS_NAMES
from fer_models.reporting.versus import MAX_FACES, compare_with_champion
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.lineages import brightened, moved, with_lineage, with_members


def model_with_answers(
    store: ArtifactStore, snapshot: DatasetSnapshot, name: str, right: npt.NDArray[np.bool_]
) -> ModelRef:
    """A model that answers the test images rightly where `right` is, else with the next class."""
    probabilities = {}
    for split in ("validation", "test"):
        labels = snapshot.labels(snapshot.positions(split))
        hits = right if split == "test" else np.ones(len(labels), dtype=np.bool_)
        answers = np.where(hits, labels, (labels + 1) % len(CLASS_NAMES))
        probabilities[split] = np.eye(len(CLASS_NAMES))[answers] * 0.93 + 0.01
    return build_model(store, snapshot.ref, name, probabilities=probabilities)


def test_counts_and_faces_of_what_only_one_of_them_knows(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    n = len(snapshot.positions("test"))
    rows = np.arange(n)
    champion = model_with_answers(store, snapshot, "old", rows % 4 != 0)
    candidate = model_with_answers(store, snapshot, "new", rows % 6 != 0)
    predictions = read_predictions(store, snapshot, candidate)["test"]
    found = compare_with_champion(store, snapshot, candidate, "test", champion.id)
    assert found is not None
    assert (found.champion, found.n, found.seen, found.missing) == ("old", n, 0, "")
    assert found.both == int(((rows % 4 != 0) & (rows % 6 != 0)).sum())
    assert found.only_candidate == int(((rows % 4 == 0) & (rows % 6 != 0)).sum())
    assert found.only_champion == int(((rows % 4 != 0) & (rows % 6 == 0)).sum())
    assert found.neither == int(((rows % 4 == 0) & (rows % 6 == 0)).sum())
    assert len(found.won) == min(found.only_candidate, MAX_FACES)
    label = snapshot.labels(predictions.positions)[4]
    wrong = CLASS_NAMES[(label + 1) % len(CLASS_NAMES)]
    assert (found.won[0].title, found.won[0].note) == (CLASS_NAMES[label], f"not {wrong}")


def test_without_a_champion_there_is_nothing_to_compare(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    candidate = build_model(store, snapshot.ref)
    assert compare_with_champion(store, snapshot, candidate, "test", None) is None


def test_a_champion_that_is_gone_is_a_sentence(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    candidate = build_model(store, snapshot.ref)
    found = compare_with_champion(store, snapshot, candidate, "test", "gone-0123")
    assert found is not None
    assert "can't be compared" in found.missing


def predict_nothing(monkeypatch: pytest.MonkeyPatch, num_images: int) -> None:
    """A champion of another snapshot finds all classes equally probable."""
    probs_NK = np.full((num_images, len(CLASS_NAMES)), 1 / len(CLASS_NAMES))
    monkeypatch.setattr("fer_models.training.predict.predict_model", lambda *_: probs_NK)


def test_images_that_the_champion_was_trained_on_are_left_out(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, seed=3))
    other = build_snapshot(store, seed=3, fractions=(0.9, 0.05, 0.05))
    champion = build_model(store, other, "old")
    candidate = build_model(store, snapshot.ref, "new")
    predictions = read_predictions(store, snapshot, candidate)["test"]
    predict_nothing(monkeypatch, len(predictions.labels))
    found = compare_with_champion(store, snapshot, candidate, "test", champion.id)
    assert found is not None
    opened = open_snapshot(store, other)
    trained = set(opened.manifest["pixel_sha256"].to_numpy()[opened.positions("train")])
    shas = snapshot.manifest["pixel_sha256"].to_numpy()[predictions.positions]
    assert found.seen == sum(sha in trained for sha in shas) > 0
    assert found.n == len(predictions.labels) - found.seen


def test_a_final_fit_is_compared_by_its_predictions_of_the_test_images(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    final = build_final_fit(store, build_model(store, snapshot.ref, "old"))
    candidate = build_model(store, snapshot.ref, "new")
    predictions = read_predictions(store, snapshot, candidate)["test"]
    found = compare_with_champion(store, snapshot, candidate, "test", final.id)
    assert found is not None
    assert (found.champion_id, found.missing, found.seen) == (final.id, "", 0)
    theirs = read_predictions(store, snapshot, final, ("test",))["test"]
    assert found.both == int((predictions.correct & theirs.correct).sum())
    assert found.n == len(predictions.labels)


def test_on_validation_images_a_final_fit_is_represented_by_the_model_that_it_repeats(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, fractions=(0.7, 0.3, 0.0)))
    selected = build_model(store, snapshot.ref, "old")
    final = build_final_fit(store, selected)
    candidate = build_model(store, snapshot.ref, "new")
    predictions = read_predictions(store, snapshot, candidate)["validation"]
    found = compare_with_champion(store, snapshot, candidate, "validation", final.id)
    assert found is not None
    assert (found.champion_id, found.champion, found.missing) == (selected.id, "old", "")
    theirs = read_predictions(store, snapshot, selected)["validation"]
    assert found.both == int((predictions.correct & theirs.correct).sum())


def test_validation_images_that_a_final_fit_was_trained_on_are_left_out(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, seed=3))
    other = open_snapshot(store, build_snapshot(store, seed=3, fractions=(0.4, 0.5, 0.1)))
    champion = build_final_fit(store, build_model(store, other.ref, "old"))
    candidate = build_model(store, snapshot.ref, "new")
    predictions = read_predictions(store, snapshot, candidate)["test"]
    predict_nothing(monkeypatch, len(predictions.labels))
    found = compare_with_champion(store, snapshot, candidate, "test", champion.id)
    assert found is not None
    table = other.manifest[
        (other.manifest["status"] == "kept") & (other.manifest["split"] != "test")
    ]
    shas = snapshot.manifest["pixel_sha256"].iloc[predictions.positions]
    assert found.seen == int(shas.isin(table["pixel_sha256"]).sum()) > 0
    assert found.n == len(predictions.labels) - found.seen


@pytest.mark.parametrize("link", ["initial", "averaged", "imported", "members"])
@pytest.mark.parametrize("side", ["candidate", "champion"])
def test_images_that_weights_learned_in_an_earlier_training_are_left_out(
    store: ArtifactStore, link: str, side: str
) -> None:
    """Both models have predictions of the same snapshot."""
    snapshot = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = snapshot.positions("test")[:17]
    origin = build_model(store, moved(store, snapshot, learned, "train"), "origin")
    plain = build_model(store, snapshot.ref, "plain")
    if link == "members":
        touched = with_members(store, plain, plain, origin)
    else:
        facts = {
            "initial": origin.id,
            "averaged": [origin.id],
            "imported": {"snapshot_id": store.info(origin)["snapshot_id"]},
        }
        touched = with_lineage(store, plain, **{link: facts[link]})
    other = build_model(store, snapshot.ref, "other")
    candidate, champion = (touched, other) if side == "candidate" else (other, touched)
    found = compare_with_champion(store, snapshot, candidate, "test", champion.id)
    assert found is not None
    assert (found.seen, found.n) == (17, len(snapshot.positions("test")) - 17)


def test_two_models_that_learned_from_the_same_images_are_compared_on_all(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = snapshot.positions("test")[:17]
    origin = build_model(store, moved(store, snapshot, learned, "train"), "origin")
    first, second = (
        with_lineage(store, build_model(store, snapshot.ref, name), initial=origin.id)
        for name in ("first", "second")
    )
    found = compare_with_champion(store, snapshot, first, "test", second.id)
    assert found is not None
    assert (found.seen, found.n) == (0, len(snapshot.positions("test")))


def test_near_copies_of_the_champions_training_images_are_left_out(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = before.positions("train")[:15]
    champion = build_model(store, before.ref, "old")
    snapshot = brightened(store, before, learned, "test")
    candidate = build_model(store, snapshot.ref, "new")
    predict_nothing(monkeypatch, len(snapshot.positions("test")))
    found = compare_with_champion(store, snapshot, candidate, "test", champion.id)
    assert found is not None
    assert found.seen == 15


def test_training_images_that_are_not_known_are_named(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    plain, other = (build_model(store, snapshot.ref, name) for name in ("plain", "other"))
    champion = with_lineage(store, plain, imported={"snapshot_id": "elsewhere"})
    found = compare_with_champion(store, snapshot, other, "test", champion.id)
    assert found is not None
    assert found.unknown == (
        f"{champion.id} was trained on snapshot elsewhere, which is not in the store",
    )


def test_two_models_without_an_unseen_image_are_not_compared(store: ArtifactStore) -> None:
    snapshot = open_snapshot(store, build_snapshot(store))
    everything = moved(store, snapshot, snapshot.positions("test"), "train")
    plain, other = (build_model(store, snapshot.ref, name) for name in ("plain", "other"))
    champion = with_lineage(store, plain, imported={"snapshot_id": everything.id})
    found = compare_with_champion(store, snapshot, other, "test", champion.id)
    assert found is not None
    number = len(snapshot.positions("test"))
    assert (
        found.missing == f"All {number} test images are training images of one of the two models."
    )


def test_on_validation_images_an_ensemble_is_not_compared_by_a_rule_that_was_fitted_to_them(
    store: ArtifactStore,
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, fractions=(0.7, 0.3, 0.0)))
    models = [build_model(store, snapshot.ref, f"m{i}", 1.5, 10 * i) for i in range(4)]
    built = ensemble_models(store, snapshot.ref, models, EnsembleConfig(methods=("stacking",)))
    stacking = built.ensembles[0]
    info, n = store.info(stacking), len(snapshot.positions("validation"))
    assert info["validation_accuracy"] > info["cross_validated_accuracy"] + 0.05
    found = compare_with_champion(store, snapshot, stacking, "validation", models[0].id)
    assert found is not None
    ours = (found.both + found.only_candidate) / n
    assert ours == pytest.approx(info["cross_validated_accuracy"], abs=1e-6)
    turned = compare_with_champion(store, snapshot, models[0], "validation", stacking.id)
    assert turned is not None
    assert (turned.both, turned.only_champion) == (found.both, found.only_candidate)
