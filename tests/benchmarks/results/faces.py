"""The images of a split of FER2013, which of them are copies, and what the crowd saw in them.

N images, V votes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_models.bundles.shipped import shipped_facts
from fer_models.classes.class_list import ClassList
from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import ConfigError
from fer_models.evaluation.evaluate import copies_with_validation
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.store import ArtifactStore

SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""FER2013's names of the splits, and ours."""
OFFICIAL, NO_COPIES, NO_NEAR_COPIES = "all images", "no exact copy", "no near copy"
_PUBLIC_AND_PRIVATE = 7178
"""Images of the folder `test` of FER2013's folder layout, which holds both tests."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelledFaces:
    """N labelled images of a split.

    Attributes:
        split: FER2013's name of it.
        images: uint8 N x 48 x 48.
        labels: class numbers.
        groups: number of each image's group of exact and near duplicates.
        votes_NV: FER+'s votes; negative without votes.
        sets: masks of the sets that are scored. Without Training images only the whole split. If
            shipped weights have learned from PublicTest, copies of its images count as copies, too.
        classes: what the labels number.
        chose_epoch: whether the shipped weights' epoch was chosen on images of this split.
        trained: whether the shipped weights were trained on it.
    """

    split: str
    images: npt.NDArray[np.uint8]
    labels: Ints
    groups: Ints
    votes_NV: Ints
    sets: dict[str, Bools]
    classes: ClassList
    chose_epoch: bool
    trained: bool

    @property
    def has_votes(self) -> bool:
        """Whether any image has votes."""
        return bool((self.votes_NV > 0).any())

    @property
    def warning(self) -> str:
        """Why the figures of the shipped weights are too good on these images; "" if not."""
        if self.trained:
            return "The shipped weights were trained on these images: their figures say nothing."
        if self.chose_epoch:
            return (
                "The epoch of the shipped weights was chosen on these images (PublicTest): their "
                "figures are optimistic."
            )
        return ""


def read_faces(sources: Sequence[str], split: str | None, store: ArtifactStore) -> LabelledFaces:
    """Read FER2013 from any of its sources, and search the copies in it.

    Args:
        sources: tables, folders or archives, and FER+'s votes.
        split: one of `SPLITS`; None: PrivateTest if it is there, else PublicTest, else Training.
        store: keeps the images and the copies, so that they are searched once.

    Raises:
        ConfigError: the split has no labelled images, or the classes are not FER2013's.
        DataError: the sources have problems, all of which are listed.

    Example:
        read_faces(["fer2013.csv", "fer2013new.csv"], "PublicTest", store).labels
    """
    missing = [source for source in sources if "://" not in source and not Path(source).exists()]
    if missing:
        raise ConfigError(
            f"--data: expected files or folders of FER2013, got {', '.join(missing)}, which "
            f"{'do' if len(missing) > 1 else 'does'} not exist; check the path"
        )
    snapshot = open_snapshot(store, ingest_sources(store, DataConfig(sources=tuple(sources)), 0))
    if not snapshot.classes.is_fer2013:
        raise ConfigError(
            f"--data: expected FER2013's seven classes, got {', '.join(snapshot.classes.names)}; "
            "the shipped weights and the other packages know no others"
        )
    chosen = _chosen_split(snapshot, split)
    positions = snapshot.positions(SPLITS[chosen])
    copies = find_copies(store, snapshot)
    if chosen == "PrivateTest" and any(facts.final_fit_of for facts in shipped_facts().values()):
        copies = copies_with_validation(copies, snapshot)
    sets = {OFFICIAL: np.ones(len(positions), dtype=np.bool_)}
    if chosen != "Training" and len(snapshot.positions("train")):
        sets[NO_COPIES] = ~copies.in_training[positions]
        sets[NO_NEAR_COPIES] = ~copies.near_training[positions]
    return LabelledFaces(
        split=chosen,
        images=np.asarray(snapshot.thumbnails[positions]),
        labels=snapshot.labels(positions),
        groups=copies.group[positions],
        votes_NV=snapshot.manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[positions],
        sets=sets,
        classes=snapshot.classes,
        chose_epoch=chosen == "PublicTest" or len(positions) == _PUBLIC_AND_PRIVATE,
        trained=chosen == "Training",
    )


def _chosen_split(snapshot: DatasetSnapshot, split: str | None) -> str:
    counts = {name: len(snapshot.positions(ours)) for name, ours in SPLITS.items()}
    present = [name for name in reversed(SPLITS) if counts[name]]
    if split is None and present:
        return present[0]
    if split is None or not counts[split]:
        found = ", ".join(f"{name} ({counts[name]:,})" for name in reversed(present)) or "none"
        raise ConfigError(
            f"--split {split or 'PrivateTest'}: the data has no labelled images of it; it has "
            f"{found}; choose one of these, or add the source that holds it with --data"
        )
    return split
