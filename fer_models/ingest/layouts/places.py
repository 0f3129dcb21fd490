"""What a layout says of each image: the one interface of all layouts, for folders and archives."""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from fer_models.classes.names import class_name
from fer_models.classes.schemes import LabelScheme
from fer_models.dataset.columns import FACE_SIZE
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.files.detection import folders_of, is_image
from fer_models.ingest.files.image_pixels import Box
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import split_of
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.source_table import NO_COLUMNS, NO_VOTES

NO_IMAGE = "no such image; add the files, or remove the rows"
NO_LABEL = "no label; add it, or remove the image"
REPEATED = "a second row of the same image; remove it, or name one table with data.table.path"
NO_PROBLEMS: Mapping[str, str] = MappingProxyType({})
NO_BOX = "no face box; complete it, or set data.table.crop=false to use the whole image"


@dataclass(frozen=True)
class Files:
    """The files of a folder or archive by their relative POSIX paths.

    Example:
        files.names  # ["images/1.jpg", "labels.csv"]
        files.read(["labels.csv"])["labels.csv"]  # bytes
    """

    names: Sequence[str]
    """Sorted."""
    read: Callable[[Collection[str]], Mapping[str, bytes]]
    """The content of some files, at once: an archive is read front to back."""
    head: Callable[[str], bytes]
    """The first bytes of a file; for a small text file all of them."""

    @cached_property
    def images(self) -> Sequence[str]:
        """The names that are images by their suffix."""
        return list(filter(is_image, self.names))

    @cached_property
    def others(self) -> Sequence[str]:
        """The names that are no images: the few that may say what the images are."""
        return list(itertools.filterfalse(is_image, self.names))


class Place(NamedTuple):
    """Where an image is, and what the layout says of it."""

    path: str
    split: str = UNASSIGNED
    label: str | None = None
    """The label's text; None for an unlabelled image."""
    box: Box | None = None
    votes: tuple[int, ...] = NO_VOTES
    where: str = ""
    """How messages name its row of a list; "" for its path."""
    missing: str = ""
    """Why it has no image; "" if it has one."""
    problems: Mapping[str, str] = NO_PROBLEMS
    """Problems of its fields, by the names of `parse_fields`."""
    columns: Mapping[str, str] = NO_COLUMNS
    """The user columns that its table has."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Its user columns, and the size of its face if that was cut out."""
        if self.box is None:
            return self.columns
        left, top, right, bottom = self.box
        return {**self.columns, FACE_SIZE: str(min(right - left, bottom - top))}


@dataclass(frozen=True)
class Recognised:
    """All images of a source under one layout."""

    layout: str
    """Its name for messages."""
    places: Sequence[Place]
    own: LabelScheme | None = None
    """What numbers mean, if the layout proves it."""
    notes: Sequence[str] = ()
    has_columns: bool = False
    """Whether a table with columns says it, to which the settings `data.table` apply."""


Recogniser = Callable[[Files, LabelSettings, Findings], Recognised | None]
"""None: the files have another layout. Faults of the layout go into the findings."""


def split_of_folders(path: str) -> str:
    """The split that the folders of a path name, if exactly one split; else `UNASSIGNED`."""
    splits = {split_of(folder) for folder in folders_of(path)} - {UNASSIGNED}
    return splits.pop() if len(splits) == 1 else UNASSIGNED


def folder_of(path: str) -> str:
    """The folder of a path with a slash at its end; "" for the root."""
    folder, slash, _ = path.rpartition("/")
    return folder + slash


def unlisted_note(num_images: int, lists: str) -> list[str]:
    """The note on images that a list does not mention."""
    return [f"{num_images:,} images are not read: no row in {lists}"] if num_images else []


def without_repetitions(places: Sequence[Place]) -> list[Place]:
    """Mark further rows of an image; where their labels or splits differ, the first one, too."""
    first: dict[tuple[str, Box | None], int] = {}
    result = list(places)
    for number, place in enumerate(places):
        if place.missing:
            continue
        before = first.setdefault((place.path, place.box), number)
        if before == number:
            continue
        other = result[before]
        result[number] = place._replace(missing=REPEATED)
        if class_name(other.label or "") != class_name(place.label or ""):
            problem = f"{place.where} gives another label, {place.label!r}; remove one of the rows"
            result[before] = other._replace(problems={**other.problems, "emotion": problem})
        elif other.split != place.split:
            problem = f"{place.where} gives another split, {place.split!r}; remove one of the rows"
            result[before] = other._replace(problems={**other.problems, "usage": problem})
    return result
