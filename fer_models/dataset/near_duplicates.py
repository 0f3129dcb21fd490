"""Near duplicates: found by the correlation of thumbnails, confirmed by aligning the pixels.

N images, uint8 N x 48 x 48; P pairs. Own code, although libraries compare perceptual hashes: those
found a third of the near duplicates in FER2013 (docs/data-quality.md). All sums are of integers, so
every machine finds the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.config import PROMISING_SIMILARITY
from fer_models.dataset.folds import join_groups
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images, pixel_sha256
from fer_models.progress import report

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_THUMBNAIL_CELLS = 8
_READ_BLOCK = 4096
_SIGNATURE_BLOCK = 512
# A dot product of two signatures stays below 2**24: exact in single precision, in any order.
_SIGNATURE_LENGTH = 4000
# Correlation of two signatures from which a pair is aligned. Mirror images are rare and as costly.
_MIN_SIGNATURE_CORRELATION = 0.90
_MIN_MIRRORED_CORRELATION = 0.94


@dataclass(frozen=True)
class NearDuplicates:
    """P near duplicates: row `copies[i]` shows the same picture as row `originals[i]`.

    Attributes:
        copies, originals: P rows each; no original is a copy.
        similarity: P values 0..1, 1 = equal; see `fer_models.dataset.image_similarity.similarity`.
        mirrored: P booleans: whether the copy is the mirror image.
    """

    copies: Positions
    originals: Positions
    similarity: npt.NDArray[np.float64]
    mirrored: npt.NDArray[np.bool_]


def find_near_duplicates(
    images: Images,
    held_out: Positions,
    training: Positions,
    min_similarity: float,
    stage: str = "clean",
    cache: SimilarityCache | None = None,
) -> NearDuplicates:
    """Find training images that show the same picture as a held-out or an earlier training image.

    Brightness, contrast, a mark in a corner, a shift of up to 3 pixels, a scale of 0.86 to 1.15
    and mirroring make no difference. Pairs whose thumbnails of 8 x 8 cells correlate are aligned
    pixel by pixel. A copy never counts as an original, so no copy is found without the image that
    it is similar to.

    Args:
        images: uint8 N x 48 x 48.
        held_out: rows that are always originals.
        training: rows that may be copies, in the order of precedence.
        min_similarity: correlation (0..1) of the aligned images from which a pair counts; values
            below 0.75 act as 0.75.
        stage: stage of the progress events.
        cache: similarities of pairs aligned before; new ones are added to it. Results do not
            depend on it.

    Example:
        rows = np.arange(len(images))
        found = find_near_duplicates(images, rows[:0], rows, min_similarity=0.95)
        distinct = np.delete(images, found.copies, axis=0)
    """
    from threadpoolctl import threadpool_limits

    order = np.concatenate([held_out, training])
    if cache is None:
        cache = _empty_cache(images, order)
    # Products of small matrices: on a busy machine threads wait for each other, ten times as long.
    with threadpool_limits(1, "blas"):
        return _search(images, order, len(held_out), min_similarity, stage, cache)


def group_near_duplicates(
    images: Images,
    rows: Positions,
    min_similarity: float,
    stage: str = "copies",
    cache: SimilarityCache | None = None,
) -> Positions:
    """Group images that show the same picture; a chain of near duplicates is one group.

    Images are compared as by `find_near_duplicates`, but copies with each other as well, and in
    both directions, so near duplicates are never in two groups, whatever the order of the rows.

    Args:
        images: uint8 N x 48 x 48.
        rows: n rows.
        min_similarity: as in `find_near_duplicates`.
        stage: stage of the progress events.
        cache: similarities of pairs aligned before; new ones are added to it. Results do not
            depend on it.

    Returns:
        For each of the n rows the index (0..n-1) of the first one in its group.
    """
    from threadpoolctl import threadpool_limits

    if cache is None:
        cache = _empty_cache(images, rows)
    groups = np.arange(len(rows), dtype=np.int64)
    with threadpool_limits(1, "blas"):
        for earlier, later, mirrored in _candidate_pairs(images, rows, 0, stage):
            pairs = pd.DataFrame({"first": earlier, "second": later, "mirrored": mirrored})
            num_tried = 1
            while len(pairs):
                # A few of each image at once, because those within a group need no alignment.
                now = pairs.groupby("second").cumcount() < num_tried
                near = pairs[now][_are_near(images, rows, pairs[now], min_similarity, cache)]
                groups = _joined(groups, near)
                pairs = pairs[~now & (groups[pairs["first"]] != groups[pairs["second"]])]
                num_tried *= 4
    return groups


def _are_near(
    images: Images,
    rows: Positions,
    pairs: pd.DataFrame,
    min_similarity: float,
    cache: SimilarityCache,
) -> Mask:
    """Which of P pairs are near duplicates, whichever of the two images is moved."""
    limit = max(min_similarity, PROMISING_SIMILARITY)
    first, second = rows[pairs["first"]], rows[pairs["second"]]
    mirrored = pairs["mirrored"].to_numpy()
    similarities = cache.similarities(images, first, second, mirrored)
    near: Mask = similarities >= limit
    # Not of unpromising pairs: the directions differ by at most 0.13 in 4,065 pairs of FER2013.
    other = np.flatnonzero(~near & (similarities >= PROMISING_SIMILARITY))
    near[other] = cache.similarities(images, second[other], first[other], mirrored[other]) >= limit
    return near


def _joined(groups: Positions, pairs: pd.DataFrame) -> Positions:
    if pairs.empty:
        return groups
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    return join_groups(pd.Series(groups), first, second).to_numpy(dtype=np.int64)


def _search(
    images: Images,
    order: Positions,
    num_held_out: int,
    min_similarity: float,
    stage: str,
    cache: SimilarityCache,
) -> NearDuplicates:
    is_copy = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, float, bool]] = []
    for pairs in _candidate_pairs(images, order, num_held_out, stage):
        # Only saves alignments: pairs of copies are ignored below as well.
        is_open = ~is_copy[pairs[0]]
        earlier, later, mirrored = pairs[0][is_open], pairs[1][is_open], pairs[2][is_open]
        similarities = cache.similarities(images, order[earlier], order[later], mirrored)
        for i in np.flatnonzero(similarities >= max(min_similarity, PROMISING_SIMILARITY)).tolist():
            if not is_copy[earlier[i]] and not is_copy[later[i]]:
                is_copy[later[i]] = True
                pair = int(order[later[i]]), int(order[earlier[i]])
                found.append((*pair, float(similarities[i]), bool(mirrored[i])))
    return NearDuplicates(
        copies=np.array([entry[0] for entry in found], dtype=np.int64),
        originals=np.array([entry[1] for entry in found], dtype=np.int64),
        similarity=np.array([entry[2] for entry in found], dtype=np.float64),
        mirrored=np.array([entry[3] for entry in found], dtype=bool),
    )


def _empty_cache(images: Images, order: Positions) -> SimilarityCache:
    shas = np.full(len(images), "", dtype=object)
    shas[order] = pixel_sha256(images[order])
    return SimilarityCache(pd.Series(shas, dtype="str"))


def _candidate_pairs(
    images: Images, order: Positions, num_held_out: int, stage: str
) -> Iterator[tuple[Positions, Positions, npt.NDArray[np.bool_]]]:
    """Pairs (earlier, later, mirrored) of correlated signatures, in blocks; `later` ascends."""
    plain = _signatures(images, order)
    # Cells of a mirrored image are the mirrored cells of the image.
    flipped = plain.reshape(-1, _THUMBNAIL_CELLS, _THUMBNAIL_CELLS)[:, :, ::-1].reshape(plain.shape)
    kinds = (
        (plain, False, _MIN_SIGNATURE_CORRELATION),
        (flipped, True, _MIN_MIRRORED_CORRELATION),
    )
    total = len(order)
    for start in range(num_held_out, total, _SIGNATURE_BLOCK):
        stop = min(start + _SIGNATURE_BLOCK, total)
        pairs = []
        for signatures, mirrored, minimum in kinds:
            products = signatures[start:stop] @ plain[:stop].T
            later, earlier = np.nonzero(products >= minimum * _SIGNATURE_LENGTH**2)
            before = earlier < later + start
            later, earlier = later[before] + start, earlier[before]
            pairs.append((earlier, later, np.full(len(later), mirrored)))
        report(stage, stop - num_held_out, total - num_held_out, "images", "near duplicates")
        earlier, later, flags = (np.concatenate(part) for part in zip(*pairs, strict=True))
        ascending = np.lexsort((flags, earlier, later))
        yield earlier[ascending], later[ascending], flags[ascending]


def _signatures(images: Images, order: Positions) -> npt.NDArray[np.float32]:
    """Whole numbers n x 64: cells of 6 x 6 pixels, centred and scaled to length 4000."""
    signatures = np.empty((len(order), _THUMBNAIL_CELLS**2), dtype=np.float32)
    side = IMAGE_SIZE_PX // _THUMBNAIL_CELLS
    for start in range(0, len(order), _READ_BLOCK):
        block = images[order[start : start + _READ_BLOCK]].astype(np.int64)
        cells = block.reshape(len(block), _THUMBNAIL_CELLS, side, _THUMBNAIL_CELLS, side)
        sums = cells.sum(axis=(2, 4)).reshape(len(block), -1)
        centred = sums * _THUMBNAIL_CELLS**2 - sums.sum(axis=1, keepdims=True)
        length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        signatures[start : start + len(block)] = np.round(
            centred / np.maximum(length, 1.0) * _SIGNATURE_LENGTH
        )
    return signatures
