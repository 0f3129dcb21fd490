"""Grey-value statistics, compared with numpy."""

import numpy as np
import pytest

from fer_models.exploration import pixels


@pytest.fixture
def images() -> np.ndarray:
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, 256, (1500, 48, 48)).astype(np.uint8)
    drawn[7], drawn[8] = 255, 0
    return drawn


@pytest.fixture
def group(images: np.ndarray) -> np.ndarray:
    return (np.arange(len(images)) * 7) % 4


def test_image_statistics_match_numpy(images: np.ndarray, group: np.ndarray) -> None:
    sums = pixels.scan(images, group, 5)
    flat = images.reshape(len(images), -1)
    np.testing.assert_allclose(sums.mean, flat.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sums.std, flat.std(axis=1), rtol=1e-12)
    assert (sums.darkest == flat.min(axis=1)).all()
    assert (sums.brightest == flat.max(axis=1)).all()


def test_group_histograms_and_mean_faces_match_numpy(images: np.ndarray, group: np.ndarray) -> None:
    sums = pixels.scan(images, group, 5)
    for number in range(4):
        members = images[group == number]
        expected, _ = np.histogram(members, np.arange(257))
        assert (sums.histograms[number] == expected).all()
        np.testing.assert_allclose(sums.mean_face(number), members.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(sums.std_face(number), members.std(axis=0), rtol=1e-10)
    assert sums.histograms[4].sum() == 0


def test_describe_matches_numpy(images: np.ndarray, group: np.ndarray) -> None:
    sums = pixels.scan(images, group, 5)
    figures = pixels.describe(sums, group == 2)
    assert figures is not None
    flat = images[group == 2].reshape(-1, 2304)
    assert figures["n"] == len(flat)
    assert figures["mean"] == pytest.approx(flat.mean(axis=1).mean(), rel=1e-12)
    assert figures["std"] == pytest.approx(flat.std(axis=1).mean(), rel=1e-12)
    assert figures["pixel_std"] == pytest.approx(flat.std(), rel=1e-12)
    assert (figures["min"], figures["max"]) == (flat.min(), flat.max())
    nearest = np.quantile(flat.mean(axis=1), pixels.QUANTILES)
    np.testing.assert_allclose(figures["mean_quantiles"], nearest, atol=0.5)


def test_statistics_do_not_depend_on_the_order_of_the_images(
    images: np.ndarray, group: np.ndarray
) -> None:
    order = np.random.default_rng(1).permutation(len(images))
    everything = np.ones(len(images), dtype=bool)
    forward = pixels.describe(pixels.scan(images, group, 5), everything)
    shuffled = pixels.describe(pixels.scan(images[order], group[order], 5), everything)
    assert forward == shuffled


def test_an_empty_group_has_no_statistics(images: np.ndarray, group: np.ndarray) -> None:
    sums = pixels.scan(images, group, 5)
    assert pixels.describe(sums, np.zeros(len(images), dtype=bool)) is None
