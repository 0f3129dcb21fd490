import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.dataset import similarity_cache as module
from fer_models.dataset.image_similarity import similarity
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.similarity_cache import COLUMNS, SimilarityCache
from fer_models.dataset.snapshot import Images, pixel_sha256
from tests.fer_models.dataset.near_duplicate_reference import reference_near_duplicates


def planted_copies(rng: np.random.Generator, count: int) -> Images:
    """Versions of five images: equal, mirrored, shifted, darker, noisy; and a flat one."""
    cells = rng.integers(0, 256, size=(5, 6, 6))
    originals = np.kron(cells, np.ones((1, 8, 8))).astype(np.uint8)
    originals[4] = 90
    images = originals[rng.integers(0, 5, size=count)]
    for row, kind in enumerate(rng.integers(0, 6, size=count)):
        if kind == 1:
            images[row] = images[row, :, ::-1]
        elif kind == 2:
            images[row] = np.roll(images[row], rng.integers(-2, 3, size=2), axis=(0, 1))
        elif kind == 3:
            images[row] //= 2
        elif kind == 4:
            noisy = images[row] + rng.integers(-40, 41, size=(48, 48))
            images[row] = np.clip(noisy, 0, 255).astype(np.uint8)
    return images


def shas(images: Images) -> pd.Series:
    return pd.Series(pixel_sha256(images), dtype="str")


@pytest.fixture
def num_aligned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the blocks of pairs that are aligned."""
    sizes: list[int] = []

    def counted(first: Images, second: Images) -> np.ndarray:
        sizes.append(len(first))
        return similarity(first, second)

    monkeypatch.setattr(module, "similarity", counted)
    return sizes


def test_a_pair_is_aligned_once_and_survives_a_round_trip(num_aligned: list[int]) -> None:
    images = planted_copies(np.random.default_rng(1), 8)
    first, second = np.array([0, 1, 2]), np.array([3, 4, 5])
    mirrored = np.array([False, True, False])
    cache = SimilarityCache(shas(images))
    values = cache.similarities(images, first, second, mirrored)
    assert sum(num_aligned) == 3
    stored = cache.table()
    assert list(stored.columns) == list(COLUMNS)
    backwards = images[::-1]  # other rows, the same pixels
    again = SimilarityCache(shas(backwards), stored)
    assert again.similarities(backwards, 7 - first, 7 - second, mirrored).tolist() == (
        values.tolist()
    )
    assert sum(num_aligned) == 3
    pd.testing.assert_frame_equal(
        again.table().sort_values(list(COLUMNS), ignore_index=True),
        stored.sort_values(list(COLUMNS), ignore_index=True),
    )


def test_order_and_mirroring_are_part_of_the_key(num_aligned: list[int]) -> None:
    rng = np.random.default_rng(2)
    image = np.kron(rng.integers(0, 256, size=(6, 6)), np.ones((8, 8)))
    images = np.stack([image, np.clip(image * 0.9 + rng.normal(0, 30, (48, 48)), 0, 255)])
    images = images.astype(np.uint8)
    cache = SimilarityCache(shas(images))
    there, back = np.array([0]), np.array([1])
    plain, mirrored = np.array([False]), np.array([True])
    found = [
        cache.similarities(images, there, back, plain)[0],
        cache.similarities(images, back, there, plain)[0],
        cache.similarities(images, there, back, mirrored)[0],
    ]
    assert sum(num_aligned) == 3
    expected = [
        similarity(images[:1], images[1:])[0],
        similarity(images[1:], images[:1])[0],
        similarity(images[:1], images[1:, :, ::-1])[0],
    ]
    assert found == expected
    assert len(set(found)) == 3


def test_pairs_of_other_images_are_ignored() -> None:
    rng = np.random.default_rng(3)
    images, others = planted_copies(rng, 4), planted_copies(rng, 4)
    cache = SimilarityCache(shas(others))
    cache.similarities(others, np.array([0]), np.array([1]), np.array([False]))
    assert len(SimilarityCache(shas(images), cache.table())) == 0
    assert len(SimilarityCache(shas(images[:0]), cache.table())) == 0
    assert SimilarityCache(shas(images)).table().empty


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    min_similarity=st.floats(0.7, 1),
    scored_similarity=st.floats(0.7, 1),
)
def test_reuse_finds_the_same_near_duplicates_as_a_search_from_scratch(
    seed: int, min_similarity: float, scored_similarity: float
) -> None:
    rng = np.random.default_rng(seed)
    images = planted_copies(rng, 20)
    role = rng.integers(0, 3, size=20)
    held_out, training = np.flatnonzero(role == 0), np.flatnonzero(role > 0)
    scored = SimilarityCache(shas(images))
    some = training[rng.random(len(training)) < 0.7]
    find_near_duplicates(images, held_out[:0], some, scored_similarity, cache=scored)
    find_near_duplicates(images, held_out, some, scored_similarity, cache=scored)
    left = training[rng.random(len(training)) < 0.8]
    arguments = (images, held_out, left, min_similarity)
    expected = reference_near_duplicates(*arguments)
    reused = SimilarityCache(shas(images), scored.table())
    for cache in (None, scored, reused):
        found = find_near_duplicates(*arguments, cache=cache)
        for field in ("copies", "originals", "similarity", "mirrored"):
            assert getattr(found, field).tolist() == getattr(expected, field).tolist()
