import numpy as np
import pytest
from scipy.ndimage import affine_transform

from fer_models.dataset.image_similarity import similarity
from fer_models.dataset.snapshot import Images
from fer_models.synthetic.generate import SyntheticFaces


def faces(synthetic: SyntheticFaces, count: int) -> Images:
    plain = np.flatnonzero((synthetic.truth["defect"] == "").to_numpy())
    return synthetic.images[plain[:count]]


def moved(images: Images, scale: float, down: float, across: float) -> Images:
    """Independent reference: SciPy's first-order spline interpolation."""
    middle = 23.5
    offset = [middle - (middle + shift) / scale for shift in (down, across)]
    return np.stack(
        [
            affine_transform(image, [1 / scale] * 2, offset, order=1, mode="nearest")
            for image in images
        ]
    )


def test_equal_images_have_similarity_one(synthetic: SyntheticFaces) -> None:
    images = faces(synthetic, 20)
    assert similarity(images, images) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("scale", "down", "across"),
    [(1.0, 2, -2), (1.0, 1, 0), (1.1, 0, 0), (0.9, 2, 1), (1.05, -1.5, 2)],
)
def test_shifted_and_scaled_images_are_similar(
    synthetic: SyntheticFaces, scale: float, down: float, across: float
) -> None:
    images = faces(synthetic, 20)
    assert np.quantile(similarity(images, moved(images, scale, down, across)), 0.1) > 0.93


def test_brightness_and_contrast_make_no_difference(synthetic: SyntheticFaces) -> None:
    images = faces(synthetic, 20)
    changed = np.round(images * 0.6 + 60).astype(np.uint8)
    assert similarity(images, changed).min() > 0.99


def test_different_faces_are_not_similar(synthetic: SyntheticFaces) -> None:
    images = faces(synthetic, 200)
    assert np.quantile(similarity(images[:100], images[100:]), 0.95) < 0.95


def test_similarity_without_motion_is_the_correlation_coefficient() -> None:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 256, size=(1, 48, 48)).astype(np.uint8)
    second = np.clip(first + rng.integers(-9, 10, size=first.shape), 0, 255).astype(np.uint8)
    middle = np.s_[0, 7:41, 7:41]
    expected = np.corrcoef(first[middle].ravel(), second[middle].ravel())[0, 1]
    assert similarity(first, second) == pytest.approx([expected])


def test_flat_images_have_similarity_zero() -> None:
    flat = np.full((2, 48, 48), 7, dtype=np.uint8)
    assert similarity(flat, flat).tolist() == [0.0, 0.0]


def test_no_pairs_give_an_empty_result() -> None:
    none = np.empty((0, 48, 48), dtype=np.uint8)
    assert similarity(none, none).shape == (0,)
