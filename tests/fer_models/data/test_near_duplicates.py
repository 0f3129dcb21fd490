import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from fer_models.data.near_duplicates import (
    find_near_duplicates,
    mean_differences,
    perceptual_hashes,
)
from fer_models.data.snapshot import Images
from fer_models.data.synthetic import NEAR_DUPLICATE, SyntheticFaces


def every(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64)


def reference_bits(image: np.ndarray) -> np.ndarray:
    cells = image.reshape(16, 3, 16, 3).mean(axis=(1, 3))
    waves = dctn(cells, norm="ortho")
    # The library leaves the transform unscaled: rows and columns 0 weigh sqrt(2) more there.
    waves[0, :] *= np.sqrt(2)
    waves[:, 0] *= np.sqrt(2)
    low = waves[:8, :8].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False
    return bits


def test_hash_is_that_of_a_reference_transform(synthetic: SyntheticFaces) -> None:
    images = synthetic.images[:50]
    place_values = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for image, found in zip(images, perceptual_hashes(images), strict=True):
        bits = (np.uint64(found) & place_values) > 0
        # Integer cosines may tip a bit that lies at the very median.
        assert (bits != reference_bits(image)).sum() <= 1


def test_hash_ignores_brightness(synthetic: SyntheticFaces) -> None:
    dark = np.clip(synthetic.images[:30], 0, 200)
    assert (perceptual_hashes(dark) == perceptual_hashes(dark + np.uint8(55))).all()


def test_difference_ignores_brightness_and_one_pixel_shift(synthetic: SyntheticFaces) -> None:
    image = np.clip(synthetic.images[0], 0, 200)
    shifted = np.roll(image, (1, -1), axis=(0, 1)) + np.uint8(40)
    pair = np.stack([image, shifted])
    assert mean_differences(pair, every(1), every(1) + 1) == pytest.approx([0.0])


def test_difference_is_the_mean_absolute_one() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((48, 48), 100, dtype=np.uint8)
    grain = rng.integers(90, 111, size=(48, 48), dtype=np.uint8)
    inner = grain[1:-1, 1:-1].astype(float)
    found = mean_differences(np.stack([grain, flat]), every(1), every(1) + 1)
    assert found == pytest.approx([np.abs(inner - inner.mean()).mean()])


def test_planted_near_duplicates_are_found(synthetic: SyntheticFaces) -> None:
    train = np.flatnonzero((synthetic.manifest_fields["split"] == "train").to_numpy())
    plain = train[synthetic.truth["defect"].isin(["", NEAR_DUPLICATE]).to_numpy()[train]]
    found = find_near_duplicates(synthetic.images, every(0), plain, 10, 8.0)
    pairs = {
        frozenset(pair)
        for pair in zip(found.copies.tolist(), found.originals.tolist(), strict=True)
    }
    planted = synthetic.truth[synthetic.truth["defect"] == NEAR_DUPLICATE]
    truth = {
        frozenset(pair)
        for pair in zip(planted["row"].tolist(), planted["original_row"].tolist(), strict=True)
    }
    assert pairs <= truth
    assert len(pairs & truth) >= 0.9 * len(truth)


def test_held_out_image_stays_and_training_image_goes() -> None:
    image = np.random.default_rng(1).integers(0, 256, size=(48, 48), dtype=np.uint8)
    images = np.stack([image, image, image])
    found = find_near_duplicates(images, every(3)[2:], every(2), 4, 8.0)
    assert found.copies.tolist() == [0, 1]
    assert found.originals.tolist() == [2, 2]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 64), st.floats(0, 60))
def test_what_is_left_has_no_near_copies(seed: int, max_bits: int, max_difference: float) -> None:
    images = _family(np.random.default_rng(seed))
    held_out, training = every(4), every(24)[4:]
    found = find_near_duplicates(images, held_out, training, max_bits, max_difference)
    assert np.isin(found.copies, training).all()
    assert not np.isin(found.originals, found.copies).any()
    assert (found.differences <= max_difference).all()
    left = np.setdiff1d(training, found.copies)
    again = find_near_duplicates(images, held_out, left, max_bits, max_difference)
    assert again.copies.size == 0


def _family(rng: np.random.Generator) -> Images:
    """24 noisy versions of four pictures."""
    cells = rng.integers(0, 256, size=(4, 6, 6))
    pictures = np.repeat(np.repeat(cells, 8, axis=1), 8, axis=2)[rng.integers(0, 4, size=24)]
    noise = rng.integers(-30, 31, size=pictures.shape) * rng.random((24, 1, 1))
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)
