"""A plain search for near duplicates, pair by pair: what the library's must agree with."""

import numpy as np

from fer_models.dataset.image_similarity import similarity
from fer_models.dataset.near_duplicates import NearDuplicates, Positions
from fer_models.dataset.snapshot import Images


def reference_near_duplicates(
    images: Images,
    held_out: Positions,
    training: Positions,
    min_similarity: float,
    stage: str = "clean",
    cache: object = None,
) -> NearDuplicates:
    """Takes the arguments of `find_near_duplicates`, to be put in its place."""
    order = [*held_out.tolist(), *training.tolist()]
    copies: dict[int, tuple[int, float, bool]] = {}
    for later in order[len(held_out) :]:
        earlier_rows = [row for row in order[: order.index(later)] if row not in copies]
        candidates = ((row, mirrored) for row in earlier_rows for mirrored in (False, True))
        for earlier, mirrored in candidates:
            value = pair_similarity(images[earlier], images[later], mirrored)
            if value >= max(min_similarity, 0.75):
                copies[later] = (earlier, value, mirrored)
                break
    return NearDuplicates(
        np.array(list(copies), dtype=np.int64),
        np.array([found[0] for found in copies.values()], dtype=np.int64),
        np.array([found[1] for found in copies.values()], dtype=np.float64),
        np.array([found[2] for found in copies.values()], dtype=bool),
    )


def pair_similarity(first: Images, second: Images, mirrored: bool) -> float:
    """Similarity of one pair; -1 where the thumbnails are too different to be aligned."""
    second = second[:, ::-1] if mirrored else second
    if thumbnail(first) @ thumbnail(second) < (0.94 if mirrored else 0.90) * 4000**2:
        return -1.0
    return float(similarity(first[None], second[None])[0])


def thumbnail(image: Images) -> np.ndarray:
    sums = image.astype(np.int64).reshape(8, 6, 8, 6).sum(axis=(1, 3)).ravel()
    centred = sums * 64 - sums.sum()
    return np.round(centred / max(np.sqrt((centred * centred).sum()), 1.0) * 4000)
