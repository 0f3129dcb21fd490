"""Which faces are chosen for people to label."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy

from fer_models.batch.config import PredictionConfig
from fer_models.batch.predict import predict_batches
from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, DataError, FerError
from fer_models.inference.open_model import open_bundle, open_stored
from fer_models.selection.choose import Selection, choose_faces
from fer_models.selection.config import SelectionConfig
from fer_models.selection.diversity import choose_diverse
from fer_models.selection.judge import snapshot_of
from fer_models.selection.labels import apply_labels
from fer_models.selection.stored import open_chosen
from fer_models.selection.uncertainty import disagreement, entropy, margin_uncertainty
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_ensemble, stored_network, write_picture

FACES = draw_faces(np.arange(30) % 7, 3)
LOGITS = arrays(np.float64, (3, 5, 4), elements=st.floats(-5, 5))


@pytest.fixture
def champion(store: ArtifactStore) -> ModelRef:
    model = stored_network(store, scale=3.0)
    Registry(store).set(CHAMPION, model.id, "by a test")
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, face in enumerate(FACES):
        write_picture(tmp_path / "new" / f"{number:02d}.png", face)
    return tmp_path / "new"


def _chosen(store: ArtifactStore, selection: Selection) -> pd.DataFrame:
    return open_chosen(store, selection.ref)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exps = np.exp(logits)
    return exps / exps.sum(axis=-1, keepdims=True)


def _with_format(store: ArtifactStore, model: ModelRef, image_format: ImageFormat) -> ModelRef:
    """The same network, as if it had been trained on images of this format."""
    files = {name: store.read_file(model, name) for name in store.describe(model).files}
    preprocessing = json.loads(files["preprocessing.json"])
    preprocessing["image_format"] = asdict(image_format)
    files["preprocessing.json"] = json.dumps(preprocessing).encode()
    name = f"{model.id}-{image_format.size_px}"
    return store.put(ModelRef, name, files, store.info(model), name=model.name)


@given(LOGITS)
def test_the_measures_agree_with_their_definitions(logits: np.ndarray) -> None:
    probs_MNK = _softmax(logits)
    mean_NK = probs_MNK.mean(axis=0)
    np.testing.assert_allclose(entropy(mean_NK), scipy_entropy(mean_NK, axis=1), atol=1e-9)
    # Mutual information: the mean divergence of the members from their mean.
    divergence = np.mean([scipy_entropy(one, mean_NK, axis=1) for one in probs_MNK], axis=0)
    np.testing.assert_allclose(disagreement(probs_MNK), divergence, atol=1e-9)
    ordered = np.sort(mean_NK, axis=1)
    expected = 1 - (ordered[:, -1] - ordered[:, -2])
    np.testing.assert_allclose(margin_uncertainty(mean_NK), expected, atol=1e-12)


def test_the_least_sure_faces_are_chosen_without_diversity(
    store: ArtifactStore, champion: ModelRef, folder: Path
) -> None:
    config = SelectionConfig(count=5, candidates_per_face=1)
    chosen = _chosen(store, choose_faces(store, [str(folder)], config=config))
    top_two = np.sort(open_stored(store, champion).predict(FACES), axis=1)[:, -2:]
    # Temperature scaling may reorder faces with close margins: the extremes stay.
    least_sure = np.argsort(top_two[:, 1] - top_two[:, 0])
    names = [Path(path).name for path in chosen["path"]]
    assert len(set(names) & {f"{row:02d}.png" for row in least_sure[:5]}) >= 4
    assert chosen["uncertainty"].is_monotonic_decreasing


def test_unlike_faces_are_preferred_to_alike_ones() -> None:
    # Ten of the least sure faces are all but the same; the others are far apart.
    features = np.concatenate([np.full((10, 2), 5.0), 100.0 * np.eye(5, 2) + np.arange(5)[:, None]])
    uncertainty = np.concatenate([np.full(10, 0.9), np.full(5, 0.8)])
    chosen = choose_diverse(uncertainty, features, 5, 10, seed=0)
    assert len(set(chosen.tolist())) == 5
    assert sum(row < 10 for row in chosen) <= 2
    assert choose_diverse(uncertainty, features, 5, 1, seed=0).tolist() == [0, 1, 2, 3, 4]
    same = choose_diverse(uncertainty, np.zeros((15, 2)), 5, 10, seed=0)
    assert len(set(same.tolist())) == 5


def test_known_faces_and_copies_are_left_out(
    store: ArtifactStore, champion: ModelRef, folder: Path
) -> None:
    snapshot = open_snapshot(store, snapshot_of(store, champion))
    held_out = snapshot.positions("test")[0]
    write_picture(folder / "known.png", np.asarray(snapshot.images[held_out]))
    write_picture(folder / "again.png", FACES[0])
    (folder / "broken.png").write_bytes(b"no picture")
    facts = choose_faces(store, [str(folder)], config=SelectionConfig(count=100)).facts
    counts = {name: facts[name] for name in ("chosen", "candidates", "known", "copies")}
    assert counts == {"chosen": 30, "candidates": 30, "known": 1, "copies": 1}
    assert [Path(one["path"]).name for one in facts["skipped"]] == ["broken.png"]


def test_an_ensemble_is_judged_by_the_disagreement_of_its_members(
    store: ArtifactStore, folder: Path
) -> None:
    members = [stored_network(store, seed, scale=3.0) for seed in (0, 1)]
    ensemble = stored_ensemble(store, members)
    config = SelectionConfig(count=3, candidates_per_face=1)
    selection = choose_faces(store, [str(folder)], ensemble.id, config)
    assert selection.facts["by"] == "disagreement"
    probs_MNK = np.stack([open_stored(store, one).predict(FACES) for one in members])
    least_sure = np.argsort(-disagreement(probs_MNK.astype(np.float64)))[:3]
    names = [Path(path).name for path in _chosen(store, selection)["path"]]
    assert names == [f"{row:02d}.png" for row in least_sure]
    with pytest.raises(ConfigError, match="choose margin or entropy"):
        choose_faces(store, [str(folder)], members[0].id, SelectionConfig(by="disagreement"))


def test_stored_predictions_and_bundles_can_be_used(
    store: ArtifactStore, champion: ModelRef, folder: Path
) -> None:
    predict_batches(store, PredictionConfig(pictures=(str(folder),)))
    facts = choose_faces(store, ["predictions:1d"], config=SelectionConfig(count=4)).facts
    assert (facts["chosen"], facts["candidates"]) == (4, 30)
    bundled = choose_faces(store, [str(folder)], "bundled", SelectionConfig(count=4))
    temperature = open_bundle("bundled").temperature
    assert (bundled.facts["by"], bundled.facts["temperature"]) == ("margin", temperature)
    assert temperature is not None


def test_judged_faces_stay_known_to_a_model_with_another_image_format(
    store: ArtifactStore, champion: ModelRef, folder: Path, tmp_path: Path
) -> None:
    other = _with_format(store, stored_network(store, 1, scale=3.0), ImageFormat(64, 3))
    judged: set[str] = set()
    for model in (champion, other):
        chosen = _chosen(store, choose_faces(store, [str(folder)], model.id))[:3]
        judged |= set(chosen["path"])
        decisions = tmp_path / "decisions.csv"
        rows = [f"{face_id},,drop,,\n" for face_id in chosen["face_id"]]
        decisions.write_text("image_id,pixel_sha256,action,label,note\n" + "".join(rows))
        apply_labels(store, decisions)
    assert len(judged) == 6
    for model in (champion, other):
        facts = choose_faces(store, [str(folder)], model.id).facts
        assert (facts["known"], facts["candidates"]) == (6, 24)


def test_the_same_choice_is_the_same_artifact(
    store: ArtifactStore, champion: ModelRef, folder: Path
) -> None:
    first, second = (choose_faces(store, [str(folder)]) for _ in range(2))
    assert first.ref == second.ref


def test_wrong_input_is_explained(store: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FerError, match="no champion yet"):
        choose_faces(store, [str(folder)])
    stored_network(store)
    with pytest.raises(DataError, match="expected pictures"):
        choose_faces(store, ["/nowhere"], "small-0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="got none"):
        choose_faces(store, [str(tmp_path / "empty")], "small-0")
