"""Grey statistics agree with numpy, exactly where exactness is promised."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fer_models.dataset import image_stats
from fer_models.dataset.image_stats import GreySums, grey_sums, pixel_mean_and_std
from fer_models.dataset.snapshot import Images


def random_images(count: int, low: int = 0, high: int = 256) -> Images:
    rng = np.random.default_rng(count)
    return rng.integers(low, high, (count, 48, 48), dtype=np.uint8)


# Ordinary, low-contrast, black-and-white, constant (each grey level), and nearly constant images.
NEARLY_CONSTANT = np.full((3, 48, 48), 254, np.uint8)
NEARLY_CONSTANT[1:, 7, 7] += 1
CASES = {
    "random": random_images(50),
    "low contrast": random_images(50, 100, 103),
    "black and white": random_images(50, 0, 2) * np.uint8(255),
    "constant": np.arange(256, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(48, 2),
    "nearly constant": NEARLY_CONSTANT,
}


@pytest.mark.parametrize("images", CASES.values(), ids=CASES)
def test_statistics_of_each_image_are_numpys(images: Images) -> None:
    sums = grey_sums(images)
    precise = images.reshape(len(images), -1).astype(np.longdouble)
    np.testing.assert_array_equal(sums.mean, images.mean(axis=(1, 2), dtype=np.float64))
    for std in (sums.std, sums.std_of_variance):
        np.testing.assert_allclose(std, precise.std(axis=1).astype(np.float64), rtol=4e-16)
    np.testing.assert_allclose(sums.std_of_moments, sums.std, atol=1e-8)


@pytest.mark.parametrize("images", CASES.values(), ids=CASES)
def test_statistics_of_all_pixels_are_numpys(images: Images) -> None:
    everything = np.ones(len(images), dtype=bool)
    precise = images.astype(np.longdouble)
    expected = (float(precise.mean()), float(precise.std()))
    assert pixel_mean_and_std(images) == pytest.approx(expected, rel=1e-15)
    assert grey_sums(images).pooled_mean_and_std(everything) == pytest.approx(expected, rel=1e-15)


def test_constant_images_have_no_deviation_at_all() -> None:
    sums = grey_sums(CASES["constant"])
    for std in (sums.std, sums.std_of_variance, sums.std_of_moments):
        assert not std.any()
    assert pixel_mean_and_std(np.full((2, 48, 48), 77, np.uint8)) == (77.0, 0.0)


def test_the_largest_sums_do_not_overflow() -> None:
    white = np.full((3, 48, 48), 255, np.uint8)
    sums = grey_sums(white)
    assert sums.total.tolist() == [255 * 2304] * 3
    assert sums.squares.tolist() == [255 * 255 * 2304] * 3
    half = white.copy()
    half[:, ::2] = 0
    assert grey_sums(half).std.tolist() == [127.5] * 3


def test_pooled_statistics_count_the_selected_images_only() -> None:
    images = random_images(9)
    mask = np.arange(9) % 3 == 0
    mean, std = grey_sums(images).pooled_mean_and_std(mask)
    assert mean == pytest.approx(images[mask].mean(), rel=1e-15)
    assert std == pytest.approx(images[mask].std(), rel=1e-12)


def test_blocks_of_a_memory_map_give_the_same_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = random_images(23)
    np.save(tmp_path / "images.npy", images)
    whole = grey_sums(images)
    monkeypatch.setattr(image_stats, "_IMAGES_PER_BLOCK", 4)
    mapped = grey_sums(np.load(tmp_path / "images.npy", mmap_mode="r"))
    np.testing.assert_array_equal(mapped.total, whole.total)
    np.testing.assert_array_equal(mapped.squares, whole.squares)


def test_no_images_have_no_statistics() -> None:
    sums = grey_sums(np.zeros((0, 48, 48), dtype=np.uint8))
    assert sums.mean.shape == sums.std.shape == (0,)
    assert sums.num_pixels == 48 * 48


def exact(images: Images) -> tuple[int, int]:
    values = [int(value) for value in images.ravel()]
    return sum(values), sum(value * value for value in values)


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)))
@settings(max_examples=100)
def test_any_images_have_exact_sums_and_order_does_not_matter(images: Images) -> None:
    sums = grey_sums(images)
    assert list(zip(sums.total, sums.squares, strict=True)) == [exact(one) for one in images]
    total, squares = exact(images)
    mean, std = pixel_mean_and_std(images)
    assert mean == total / images.size
    assert math.isclose(std**2, squares / images.size - mean**2, abs_tol=1e-9)
    assert pixel_mean_and_std(images[::-1]) == (mean, std)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=9))
def test_deviation_is_zero_exactly_for_equal_pixels(values: list[int]) -> None:
    sums = GreySums(
        np.array([sum(values)]), np.array([sum(v * v for v in values)]), num_pixels=len(values)
    )
    is_constant = len(set(values)) == 1
    assert (sums.std[0] == 0) == is_constant
    assert (sums.std_of_variance[0] == 0) == is_constant
