"""Accuracy on parts of a set of images: by class, image quality, and user columns.

N images, S slices of a column, B replicates of the bootstrap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_models.dataset.columns import open_columns
from fer_models.dataset.image_sharpness import sharpness
from fer_models.dataset.image_stats import grey_sums
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.intervals import around, share_of
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.evaluation.results import Gap, Slice, SliceColumn
from fer_models.evaluation.scoring import ScoredImages
from fer_models.storage.store import ArtifactStore

CLASS_COLUMN = "class"
_MAX_VALUES = 12
"""Numbers with more values are cut into quarters; of texts the most frequent ones are shown."""
_QUARTERS = ("lowest", "second", "third", "highest")
_OTHER = "(others)"


@dataclass(frozen=True)
class SlicedBy:
    """A property of N images: the number of each image's slice, -1 if unknown, and S names."""

    column: str
    codes: Ints
    names: tuple[str, ...]


def slice_properties(
    store: ArtifactStore, snapshot: DatasetSnapshot, positions: Ints
) -> list[SlicedBy]:
    """The properties by which the images at N positions of a snapshot are sliced.

    The class, brightness, contrast and sharpness of the grey 48 x 48 thumbnails in quarters, and
    every user column (`fer_models.dataset.columns`): by value, or in quarters if it holds numbers
    with more than 12 values.

    Raises:
        StoreError: the snapshot is damaged.
    """
    thumbnails = snapshot.thumbnails[positions]
    sums = grey_sums(thumbnails)
    columns = open_columns(store, snapshot).iloc[positions]
    return [
        SlicedBy(CLASS_COLUMN, snapshot.labels(positions), snapshot.classes.names),
        by_quarter("brightness", sums.mean),
        by_quarter("contrast", sums.std),
        by_quarter("sharpness", sharpness(thumbnails)),
        *(by_value(str(name), values) for name, values in columns.items()),
    ]


def by_quarter(column: str, values_N: Floats) -> SlicedBy:
    """Four slices of about N/4 images each by the quartiles of the values; NaN is unknown.

    Equal values are in the same slice, so there may be fewer than four.
    """
    known = ~np.isnan(values_N)
    codes = np.full(len(values_N), -1, dtype=np.int64)
    if not known.any():
        return SlicedBy(column, codes, ())
    edges = np.unique(np.quantile(values_N[known], (0.25, 0.5, 0.75)))
    numbers = np.searchsorted(edges, values_N[known], side="left")
    used, codes[known] = np.unique(numbers, return_inverse=True)
    return SlicedBy(column, codes, tuple(_range_names(edges, used)))


def _range_names(edges: Floats, used: Ints) -> Iterator[str]:
    """`lowest quarter (to 97.1)`; without "quarter" if ties made other parts."""
    for number in used.tolist():
        low = f"over {edges[number - 1]:.4g}" if number else ""
        high = f"to {edges[number]:.4g}" if number < len(edges) else ""
        limits = " ".join(filter(None, (low, high)))
        whole = len(edges) == len(_QUARTERS) - 1
        yield f"{_QUARTERS[number]} quarter ({limits})" if whole else limits


def by_value(column: str, values: "pd.Series[str]") -> SlicedBy:
    """A slice for each text; "" is unknown. Numbers with more than 12 values become quarters."""
    texts = values.reset_index(drop=True)
    known = texts != ""
    names = texts[known].value_counts()
    numbers = pd.to_numeric(texts.where(known), errors="coerce").to_numpy(dtype=np.float64)
    if len(names) > _MAX_VALUES and np.isfinite(numbers[known]).all():
        return by_quarter(column, numbers)
    shown = sorted(names.index[:_MAX_VALUES])
    lookup = {name: number for number, name in enumerate(shown)}
    numbered = texts.map(lookup).fillna(len(shown)).to_numpy(dtype=np.int64)
    codes = np.where(known.to_numpy(), numbered, -1)
    others = (_OTHER,) if len(names) > _MAX_VALUES else ()
    return SlicedBy(column, codes, (*shown, *others))


def score_slices(
    images: ScoredImages,
    properties: Sequence[SlicedBy],
    config: EvaluationConfig,
    bootstrap: GroupBootstrap,
) -> tuple[SliceColumn, ...]:
    """The accuracy on every slice, and the gap between the best and the worst one.

    Args:
        images: the sliced images.
        properties: of the same N images; those without any known value are omitted.
        config: the confidence, and how many images a slice needs to count for the gap.
        bootstrap: of the same images.
    """
    scored = []
    for one in properties:
        if not one.names:
            continue
        slices = [_slice(images, one, number, config) for number in range(len(one.names))]
        found = [number for number, part in enumerate(slices) if part is not None]
        compared = [
            number
            for number in found
            if (part := slices[number]) and not part.is_small and part.name != _OTHER
        ]
        scored.append(
            SliceColumn(
                column=one.column,
                slices=tuple(part for part in slices if part is not None),
                num_unknown=int((one.codes < 0).sum()),
                gap=_gap(images, one, compared, bootstrap, config.confidence),
            )
        )
    return tuple(scored)


def _slice(
    images: ScoredImages, sliced: SlicedBy, number: int, config: EvaluationConfig
) -> Slice | None:
    mask = sliced.codes == number
    groups = images.groups[mask]
    share = share_of(images.correct[mask], groups, config.confidence)
    if share is None:
        return None
    return Slice(
        name=sliced.names[number],
        n=share.n,
        num_groups=len(np.unique(groups)),
        accuracy=share.value,
        low=share.low,
        high=share.high,
        is_small=share.n < config.min_slice_images,
    )


def _gap(
    images: ScoredImages,
    sliced: SlicedBy,
    compared: Sequence[int],
    bootstrap: GroupBootstrap,
    confidence: float,
) -> Gap | None:
    """The gap between the best and the worst of the compared slices.

    Its interval is that of the difference between these two slices. They were chosen because they
    differ most, so it may exclude 0 although all slices are equally good; `by_chance` says how
    large a gap that explains: the quantile of the largest differences between the replicates of
    slices that are moved to the same accuracy.
    """
    if len(compared) < 2:
        return None
    is_in_NS = sliced.codes[:, None] == np.array(compared)
    correct_NS = is_in_NS & images.correct[:, None]
    sums_BC = bootstrap.sums(np.concatenate([is_in_NS, correct_NS], axis=1).astype(np.float64))
    sizes_BS, hits_BS = np.split(sums_BC, 2, axis=1)
    with np.errstate(invalid="ignore"):
        accuracy_BS = hits_BS / sizes_BS
    accuracy_S = correct_NS.sum(axis=0) / is_in_NS.sum(axis=0)
    best, worst = int(accuracy_S.argmax()), int(accuracy_S.argmin())
    value = float(accuracy_S[best] - accuracy_S[worst])
    differences_B = accuracy_BS[:, best] - accuracy_BS[:, worst]
    low, high = around(value, *percentile_interval(differences_B, confidence))
    moved_BS = accuracy_BS - accuracy_S
    largest_B = np.nanmax(moved_BS, axis=1) - np.nanmin(moved_BS, axis=1)
    return Gap(
        best=sliced.names[compared[best]],
        worst=sliced.names[compared[worst]],
        value=value,
        low=low,
        high=high,
        by_chance=round(float(np.quantile(largest_B, confidence)), 6),
    )
