import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet

from fer_models.dataset.near_duplicates import find_near_duplicates, group_near_duplicates
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import Images, pixel_sha256
from fer_models.synthetic.generate import NEAR_DUPLICATE, SyntheticFaces
from tests.fer_models.dataset.near_duplicate_reference import pair_similarity


def all_rows(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64)


def _family(rng: np.random.Generator) -> Images:
    """24 noisy versions of four images."""
    cells = rng.integers(0, 256, size=(4, 6, 6))
    pictures = np.repeat(np.repeat(cells, 8, axis=1), 8, axis=2)[rng.integers(0, 4, size=24)]
    noise = rng.integers(-30, 31, size=pictures.shape) * rng.random((24, 1, 1))
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def _photos(rng: np.random.Generator, count: int) -> Images:
    """Smooth random images, as different from each other as photos."""
    cells = rng.integers(0, 256, size=(count, 6, 6)).astype(float)
    smooth = np.kron(cells, np.ones((1, 8, 8)))
    for axis in (1, 2):
        smooth = sum(np.roll(smooth, shift, axis) for shift in range(-3, 4)) / 7
    return smooth.astype(np.uint8)


def test_planted_near_duplicates_are_found(synthetic: SyntheticFaces) -> None:
    defect = synthetic.truth["defect"].to_numpy()
    train = (synthetic.manifest_fields["split"] == "train").to_numpy()
    rows = np.flatnonzero(train & np.isin(defect, ["", NEAR_DUPLICATE]))
    found = find_near_duplicates(synthetic.images, all_rows(0), rows, 0.95)
    pairs = {frozenset(pair) for pair in zip(found.copies, found.originals, strict=True)}
    planted = synthetic.truth[defect == NEAR_DUPLICATE]
    truth = {frozenset(pair) for pair in zip(planted["row"], planted["original_row"], strict=True)}
    assert len(pairs & truth) >= 0.9 * len(pairs)
    assert len(pairs & truth) >= 0.95 * len(truth)


def test_mirrored_shifted_darker_and_marked_copies_are_found() -> None:
    photos = _photos(np.random.default_rng(5), 6)
    marked = photos[4].copy()
    marked[43:46, 4:14] = 255
    copies = [
        photos[1][:, ::-1],
        np.roll(photos[2], (2, -1), axis=(0, 1)),
        photos[3] // 2,
        marked,
    ]
    found = find_near_duplicates(np.concatenate([photos, copies]), all_rows(0), all_rows(10), 0.95)
    assert found.copies.tolist() == [6, 7, 8, 9]
    assert found.originals.tolist() == [1, 2, 3, 4]
    assert found.mirrored.tolist() == [True, False, False, False]
    assert (found.similarity >= 0.95).all()


def test_held_out_images_are_never_copies() -> None:
    photos = _photos(np.random.default_rng(6), 2)
    images = photos[[0, 0, 1, 0]]
    found = find_near_duplicates(images, all_rows(4)[2:], all_rows(2), 0.95)
    assert found.copies.tolist() == [0, 1]
    assert found.originals.tolist() == [3, 3]


@settings(max_examples=4)
@given(st.integers(0, 2**32 - 1), st.floats(0.75, 1))
def test_no_near_duplicate_is_left(seed: int, min_similarity: float) -> None:
    images = _family(np.random.default_rng(seed))
    held_out, training = all_rows(4), all_rows(24)[4:]
    found = find_near_duplicates(images, held_out, training, min_similarity)
    assert np.isin(found.copies, training).all()
    assert not np.isin(found.originals, found.copies).any()
    left = np.setdiff1d(training, found.copies)
    assert find_near_duplicates(images, held_out, left, min_similarity).copies.size == 0


def test_results_do_not_depend_on_block_sizes(
    synthetic: SyntheticFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = synthetic.images[:400]
    whole = find_near_duplicates(images, all_rows(40), all_rows(400)[40:], 0.8)
    monkeypatch.setattr("fer_models.dataset.near_duplicates._SIGNATURE_BLOCK", 37)
    monkeypatch.setattr("fer_models.dataset.image_similarity._BLOCK", 11)
    parts = find_near_duplicates(images, all_rows(40), all_rows(400)[40:], 0.8)
    assert whole.copies.size > 0
    for field in ("copies", "originals", "similarity", "mirrored"):
        assert getattr(whole, field).tolist() == getattr(parts, field).tolist()


def _reference_groups(images: Images, min_similarity: float) -> list[list[int]]:
    """Connected by pairs that are similar in either direction, found pair by pair."""
    groups = DisjointSet(range(len(images)))
    for first in range(len(images)):
        for second in range(len(images)):
            values = (pair_similarity(images[first], images[second], m) for m in (False, True))
            if first != second and max(values) >= min_similarity:
                groups.merge(first, second)
    return sorted(sorted(group) for group in groups.subsets())


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.9, 1))
def test_groups_are_all_images_that_near_duplicates_connect(
    seed: int, min_similarity: float
) -> None:
    rng = np.random.default_rng(seed)
    images = _family(rng)[:14]
    expected = _reference_groups(images, min_similarity)
    for order in (all_rows(14), rng.permutation(14)):
        first = group_near_duplicates(images, order, min_similarity)
        assert (first <= all_rows(14)).all()
        assert (first[first] == first).all()
        groups = [sorted(order[first == one].tolist()) for one in np.unique(first)]
        assert sorted(groups) == expected


def test_a_pair_that_is_similar_in_one_direction_is_one_group() -> None:
    photo = _photos(np.random.default_rng(5), 1)[0]
    enlarged = np.asarray(Image.fromarray(photo).resize((53, 53)))[2:50, 3:51]
    there, back = pair_similarity(photo, enlarged, False), pair_similarity(enlarged, photo, False)
    assert there != back
    images = np.stack([photo, enlarged])
    for order in ([0, 1], [1, 0]):
        groups = group_near_duplicates(images, np.array(order), (there + back) / 2)
        assert groups.tolist() == [0, 0]
    assert group_near_duplicates(images, all_rows(2), max(there, back) + 1e-9).tolist() == [0, 1]


def test_groups_do_not_depend_on_block_sizes(
    synthetic: SyntheticFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, rows = synthetic.images[:300], all_rows(300)
    whole = group_near_duplicates(images, rows, 0.9)
    monkeypatch.setattr("fer_models.dataset.near_duplicates._SIGNATURE_BLOCK", 37)
    assert len(np.unique(whole)) < 300
    assert group_near_duplicates(images, rows, 0.9).tolist() == whole.tolist()


def test_pairs_within_a_group_are_not_aligned() -> None:
    """Otherwise the frames of a long video would take minutes."""
    photos = _photos(np.random.default_rng(8), 2)
    noise = np.random.default_rng(9).integers(-4, 5, (60, *photos[0].shape))
    frames = np.clip(photos[all_rows(60) % 2] + noise, 0, 255).astype(np.uint8)
    cache = SimilarityCache(pd.Series(pixel_sha256(frames)))
    groups = group_near_duplicates(frames, all_rows(60), 0.95, cache=cache)
    assert groups.tolist() == [0, 1] * 30
    assert len(cache) == 58  # of 870 pairs
