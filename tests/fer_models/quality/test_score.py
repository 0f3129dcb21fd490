"""Scoring a snapshot: the artifact, its reuse, and what it needs."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset import similarity_cache
from fer_models.dataset.snapshot import Images, open_snapshot
from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import score_labels
from fer_models.quality.scores import open_scores, open_similarities
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TrainingConfig
from tests.fer_models.cleaning.snapshots import Face, picture, snapshot_of

TINY = ScoringConfig(
    folds=2,
    repeats=1,
    network=NetworkConfig(name="compact_cnn", width=0.25),
    training=TrainingConfig(epochs=1, batch_size=16, precision="32-true"),
)
NUM_IMAGES = 30


def brighter(image: Images, by: int) -> Images:
    return np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def faces_and_images() -> tuple[list[Face], Images]:
    """Two classes; the last images are near duplicates of the first, held out or quarantined."""
    faces = [Face("train", 3 + row % 2, row) for row in range(NUM_IMAGES)]
    faces[-4:] = [
        Face("validation", 3, 0),
        Face("test", 4, 0),
        Face("train", 3, 0, reason="unreadable"),
        Face("train", -1, 0),
    ]
    images = np.stack([picture(row) for row in range(NUM_IMAGES)])
    for row in range(6):
        images[-1 - row] = brighter(images[row], 7)
    return faces, images


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ArtifactStore, SnapshotRef, ScoresRef]:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("scored"))))
    snapshot = snapshot_of(store, *faces_and_images())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return store, snapshot, score_labels(store, snapshot, TINY, 1)


def test_scores_describe_every_image_and_are_reused(
    scored: tuple[ArtifactStore, SnapshotRef, ScoresRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, snapshot, scores = scored
    table = open_scores(store, scores, snapshot, open_snapshot(store, snapshot).manifest)
    assert table[[f"p_{name}" for name in CLASS_NAMES]].sum(axis=1).to_numpy() == pytest.approx(
        1, abs=1e-4
    )
    assert table["out_of_fold"].tolist() == [True] * (NUM_IMAGES - 4) + [False] * 4
    assert table["label_quality"].between(0, 1).all()
    assert table["label_quality"].iloc[-1] == 1.0
    assert table["face_score"].between(0, 1).all()
    info = store.info(scores)
    assert (info["num_images"], info["num_judged"]) == (NUM_IMAGES, NUM_IMAGES - 1)
    monkeypatch.setattr("fer_models.quality.score._folds", None)
    assert score_labels(store, snapshot, TINY, 1) == scores


def test_cleaning_after_scoring_aligns_no_pair_again(
    scored: tuple[ArtifactStore, SnapshotRef, ScoresRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, snapshot, scores = scored
    expected = clean_snapshot(store, snapshot, CleaningConfig())
    assert store.info(expected)["reasons"]["near_duplicate"] == 5
    monkeypatch.setattr(similarity_cache, "similarity", None)
    off = CleaningConfig(max_label_error_quality=0.0, min_face_score=0.0)
    cleaned = clean_snapshot(store, snapshot, off, scores)
    assert store.info(cleaned)["reasons"] == store.info(expected)["reasons"]


def test_scores_without_stored_pairs_start_an_empty_cache(store: ArtifactStore) -> None:
    snapshot = snapshot_of(store, *faces_and_images())
    files = {"scores.parquet": b"", "lineage.json": json.dumps({}).encode()}
    scores = store.put(ScoresRef, "older", files, {"snapshot_id": snapshot.id})
    assert len(open_similarities(store, scores, open_snapshot(store, snapshot).manifest)) == 0


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({0: 4, 1: 4}, None),
        ({0: 4, 1: 3}, "class disgust: expected at least 4 labelled training images, got 3"),
        ({0: 7}, "expected at least 8 labelled training images, got 7"),
    ],
)
def test_folds_need_enough_labelled_training_images(
    store: ArtifactStore, counts: dict[int, int], problem: str | None
) -> None:
    from fer_models.dataset.similarity_cache import SimilarityCache
    from fer_models.quality.score import _folds

    labels = [label for label, count in counts.items() for _ in range(count)]
    faces = [Face("train", label, row) for row, label in enumerate(labels)]
    snapshot = open_snapshot(store, snapshot_of(store, [*faces, Face("test", 1, 99)]))
    cache = SimilarityCache(pd.Series(snapshot.manifest["pixel_sha256"]))
    config = TINY.model_copy(update={"folds": 4})
    if problem is None:
        folds = _folds(snapshot, config, 0, cache)
        assert sorted(folds[0, :-1].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert folds[0, -1] == -1
        return
    with pytest.raises(DataError, match=r"set scoring\.enabled=false") as caught:
        _folds(snapshot, config, 0, cache)
    assert problem in caught.value.problems


def test_a_chain_of_near_copies_shares_a_fold(store: ArtifactStore) -> None:
    """The middle image is a copy of the first, and the last one a copy of the middle one only."""
    from fer_models.dataset.similarity_cache import SimilarityCache
    from fer_models.quality.score import _folds

    faces = [Face("train", 3, row) for row in range(13)]
    cells = np.random.default_rng(0).integers(0, 255, (13, 5, 5)).astype(np.uint8)
    images = np.stack([np.asarray(Image.fromarray(one).resize((48, 48), 3)) for one in cells])
    for row, pixels in ((11, 2), (12, 5)):
        images[row] = np.pad(images[0], ((0, 0), (pixels, 0)), mode="edge")[:, :48]
    snapshot = open_snapshot(store, snapshot_of(store, faces, images))
    cache = SimilarityCache(pd.Series(snapshot.manifest["pixel_sha256"]))
    config = TINY.model_copy(update={"folds": 5})
    for seed in range(3):
        folds = _folds(snapshot, config, seed, cache)[0]
        assert len(set(folds[[0, 11, 12]].tolist())) == 1
        assert sorted(np.bincount(folds).tolist()) in ([2, 2, 2, 2, 5], [2, 2, 2, 3, 4])
