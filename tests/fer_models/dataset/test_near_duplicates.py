import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import Images
from fer_models.synthetic.generate import NEAR_DUPLICATE, SyntheticFaces


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
