"""Similarities of image pairs, kept by pixel content, so that no pair is aligned twice.

N images; P pairs. Alignment takes most of the time of a search for near duplicates. Label scoring
stores its cache with the scores, and cleaning the same images starts from it.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.image_similarity import Values, similarity
from fer_models.dataset.snapshot import Images

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

COLUMNS = ("first_sha256", "second_sha256", "mirrored", "similarity")


class SimilarityCache:
    """Aligns pairs of a snapshot's images on demand and remembers the results.

    The key of a pair is the pixel sha256 of both images, in order (`similarity` is not symmetric),
    and whether the second one is mirrored. So a cached value is exactly what alignment would give,
    whatever rows hold the pixels.
    """

    def __init__(self, pixel_sha256: pd.Series, stored: pd.DataFrame | None = None) -> None:
        """Start with the stored pairs whose pixels occur in this snapshot.

        Args:
            pixel_sha256: of each of N images.
            stored: a `table()`; None for an empty cache.
        """
        codes, shas = pd.factorize(pixel_sha256)
        self._codes, self._shas = codes.astype(np.int64), pd.Index(shas)
        self._similarity: dict[int, float] = {}
        if stored is not None:
            first, second = (self._shas.get_indexer(stored[name]) for name in COLUMNS[:2])
            known = (first >= 0) & (second >= 0)
            keys = self._keys(first, second, stored["mirrored"].to_numpy(dtype=bool))[known]
            values = stored["similarity"].to_numpy(dtype=np.float64)[known]
            self._similarity = dict(zip(keys.tolist(), values.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self._similarity)

    def similarities(self, images: Images, first: Rows, second: Rows, mirrored: Mask) -> Values:
        """Similarity of P pairs of rows; only those that are not cached are aligned.

        Args:
            images: uint8 N x 48 x 48.
            first: P rows.
            second: P rows, moved onto `first`.
            mirrored: P booleans: whether the second image is mirrored before.

        Returns:
            float64 P; see `fer_models.dataset.image_similarity.similarity`.
        """
        keys = self._keys(self._codes[first], self._codes[second], mirrored).tolist()
        missing = np.array([i for i, key in enumerate(keys) if key not in self._similarity], int)
        if missing.size:
            moving = images[second[missing]]
            moving[mirrored[missing]] = moving[mirrored[missing], :, ::-1]
            aligned = similarity(images[first[missing]], moving).tolist()
            for i, value in zip(missing.tolist(), aligned, strict=True):
                self._similarity[keys[i]] = value
        return np.array([self._similarity[key] for key in keys], dtype=np.float64)

    def table(self) -> pd.DataFrame:
        """All cached pairs, sorted; its columns are `COLUMNS`."""
        keys = np.array(sorted(self._similarity), dtype=np.int64)
        pairs, mirrored = np.divmod(keys, 2)
        first, second = np.divmod(pairs, max(len(self._shas), 1))
        columns = (
            self._shas[first],
            self._shas[second],
            mirrored.astype(bool),
            np.array([self._similarity[key] for key in keys.tolist()], dtype=np.float64),
        )
        return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))

    def _keys(self, first: Rows, second: Rows, mirrored: Mask) -> Rows:
        """One integer a pair, from the numbers of both contents and the orientation."""
        keys: Rows = (first * len(self._shas) + second) * 2 + mirrored
        return keys
