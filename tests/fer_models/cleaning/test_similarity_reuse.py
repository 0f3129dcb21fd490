"""Cleaning with the pairs that scoring aligned gives the same snapshot as without them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.cleaning import rules
from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset import similarity_cache
from fer_models.dataset.image_similarity import similarity
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import Images, open_snapshot
from fer_models.quality.score import _align_for_cleaning
from fer_models.review.decisions import parse_decisions, publish_decisions
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DecisionsRef, ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, scores_of, snapshot_of
from tests.fer_models.dataset.near_duplicate_reference import reference_near_duplicates
from tests.fer_models.dataset.test_similarity_cache import planted_copies

NUM_IMAGES = 24
SPLITS = ("train", "train", "train", "", "validation", "test")


def random_snapshot(store: ArtifactStore, rng: np.random.Generator) -> SnapshotRef:
    faces = [
        Face(
            split=str(rng.choice(SPLITS)),
            label=int(rng.integers(-1, 3)),
            picture=0,
            votes={"sadness": 7, "happiness": 3} if rng.random() < 0.2 else {},
            reason="unreadable" if rng.random() < 0.1 else "",
        )
        for _ in range(NUM_IMAGES)
    ]
    return snapshot_of(store, faces, planted_copies(rng, NUM_IMAGES))


def random_decisions(
    store: ArtifactStore, snapshot: SnapshotRef, rng: np.random.Generator
) -> DecisionsRef | None:
    manifest = open_snapshot(store, snapshot).manifest
    ids = manifest.loc[manifest["split"] != "test", "image_id"].tolist()
    chosen = [image_id for image_id in ids if rng.random() < 0.2]
    kinds = ("keep,", "drop,", "relabel,sad")
    lines = [f"{image_id},{rng.choice(kinds)}" for image_id in chosen]
    if not lines:
        return None
    text = "\n".join(["image_id,action,label", *lines])
    return publish_decisions(store, parse_decisions(text, "test"))


def scores_with_pairs(store: ArtifactStore, snapshot: SnapshotRef) -> ScoresRef:
    opened = open_snapshot(store, snapshot)
    cache = SimilarityCache(opened.manifest["pixel_sha256"])
    _align_for_cleaning(opened, cache)
    return scores_of(store, snapshot, [0.9] * len(opened.manifest), pairs=cache.table())


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1), min_similarity=st.sampled_from([0.75, 0.85, 0.95, 0.99, 1.0])
)
def test_reused_pairs_give_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, seed: int, min_similarity: float
) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store"))))
    rng = np.random.default_rng(seed)
    snapshot = random_snapshot(store, rng)
    decisions = random_decisions(store, snapshot, rng)
    config = CleaningConfig(near_duplicate_min_similarity=min_similarity, relabel_by_votes=True)
    scores = scores_of(store, snapshot, [0.9] * NUM_IMAGES)
    reused = scores_with_pairs(store, snapshot)
    ids = [
        clean_snapshot(store, snapshot, config, source, decisions).id for source in (scores, reused)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "find_near_duplicates", reference_near_duplicates)
        ids.append(clean_snapshot(store, snapshot, config, scores, decisions).id)
    assert len(set(ids)) == 1


def test_cleaning_aligns_no_pair_that_scoring_aligned(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    images = planted_copies(rng, NUM_IMAGES)
    splits = ("validation", "train", "train", "train")
    faces = [Face(splits[row % 4], 4, 0) for row in range(NUM_IMAGES)]
    snapshot = snapshot_of(store, faces, images)
    scores, reused = (
        scores_of(store, snapshot, [0.9] * NUM_IMAGES),
        scores_with_pairs(store, snapshot),
    )
    aligned: list[int] = []

    def counted(first: Images, second: Images) -> np.ndarray:
        aligned.append(len(first))
        return similarity(first, second)

    monkeypatch.setattr(similarity_cache, "similarity", counted)
    clean_snapshot(store, snapshot, CleaningConfig(), scores)
    assert sum(aligned) > 10
    aligned.clear()
    clean_snapshot(store, snapshot, CleaningConfig(), reused)
    assert aligned == []
