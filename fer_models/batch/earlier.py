"""What earlier batches hold: pictures that are done, and recent faces."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_models.batch.tables import FACES_FILE, PICTURES_FILE
from fer_models.dataset.image_format import ImageFormat, recorded_format
from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.inference.pictures.decode import MISSING_CODECS
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.storage.refs import PredictionsRef
from fer_models.storage.store import ArtifactStore

PREFIX = "predictions:"
_WANTED = re.compile(r"([1-9]\d{0,4})(d?)")
TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
"""Beginning of the id of a batch, in UTC: batches sort by time, even within a second."""
PictureKey = tuple[str, str]
"""Path and state of a picture, see `Place`."""


@dataclass(frozen=True)
class PicturesBefore:
    """The pictures of earlier batches."""

    done: frozenset[PictureKey]
    """Those that were read, whether they show a face or not."""
    unread: Mapping[PictureKey, str]
    """The others, with the last reason: that may be gone although the file is the same."""


@dataclass(frozen=True)
class RecentFaces:
    """N faces as the model received them, uint8, with their names."""

    images: Images
    names: tuple[str, ...]
    other_formats: tuple[str, ...] = ()
    """Ids of batches whose faces have another format; theirs are left out."""


def pictures_before(store: ArtifactStore, model: str | None) -> PicturesBefore:
    """The pictures of all batches: of one model, or of any.

    Raises:
        StoreError: the store can't be read.
    """
    done: set[PictureKey] = set()
    unread: dict[PictureKey, str] = {}
    for batch in _batches(store):
        if model is None or store.info(batch)["model"] == model:
            rows = _columns(store, batch, PICTURES_FILE, "path", "state", "sha256", "reason")
            for path, state, sha256, reason in zip(*rows, strict=True):
                if sha256 and reason not in MISSING_CODECS:
                    done.add((path, state))
                else:
                    unread[path, state] = reason
    not_done = {key: reason for key, reason in unread.items() if key not in done}
    return PicturesBefore(frozenset(done), not_done)


def names_batches(text: str) -> bool:
    """Whether a path of recent images means stored predictions, such as `predictions:7d`."""
    return text.startswith(PREFIX)


def recent_faces(store: ArtifactStore, text: str, image_format: ImageFormat) -> RecentFaces:
    """The faces of the last batches of a store, oldest first.

    Args:
        store: holds the batches.
        text: `predictions:7d` for those of the last seven days, `predictions:20` for the last 20.
            Possibly none: pictures arrive as they like.
        image_format: of the faces; batches with another one are left out.

    Raises:
        DataError: the text is neither.
        StoreError: a batch is damaged.

    Example:
        recent_faces(store, "predictions:7d", THUMBNAIL).images
    """
    images: list[Images] = [image_format.none()]
    names: list[str] = []
    others: list[str] = []
    for batch in _wanted(_batches(store), text):
        fits = recorded_format(store.info(batch)) == image_format
        if not fits:
            others.append(batch.id)
            continue
        paths, numbers, pngs = _columns(store, batch, FACES_FILE, "path", "face", "png")
        decoded = [decode_image(png, target=image_format) for png in pngs]
        if decoded:
            images.append(np.stack(decoded))
        names += [_name(path, number) for path, number in zip(paths, numbers, strict=True)]
    return RecentFaces(np.concatenate(images), tuple(names), tuple(others))


def _wanted(batches: Sequence[PredictionsRef], text: str) -> Sequence[PredictionsRef]:
    found = _WANTED.fullmatch(text.removeprefix(PREFIX))
    if found is None:
        raise DataError(
            f"{text}: expected {PREFIX}7d (the last 7 days) or {PREFIX}20 (the last 20 batches)"
        )
    count = int(found[1])
    if not found[2]:
        return batches[-count:]
    since = dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=count)
    return [batch for batch in batches if batch.id >= f"{since:{TIME_FORMAT}}"]


def _batches(store: ArtifactStore) -> list[PredictionsRef]:
    """All batches, oldest first; ids begin with the time."""
    return [
        store.ref(PredictionsRef, one, model_id="", num_faces=0, report_url="")
        for one in store.list_ids(PredictionsRef)
    ]


def _columns(
    store: ArtifactStore, batch: PredictionsRef, file: str, *names: str
) -> list[list[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(store.fetch(batch, file), columns=list(names))
    return [table.column(name).to_pylist() for name in names]


def _name(path: str, number: int) -> str:
    return f"{path}, face {number + 1}" if number else path
