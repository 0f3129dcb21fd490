"""Unlabelled faces to choose from: pictures of folders and buckets, and stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_models.batch.earlier import names_batches, recent_faces
from fer_models.batch.places import Place, list_places, read_places
from fer_models.batch.tables import png_bytes
from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import Images, pixel_sha256
from fer_models.drift.recent import Skipped
from fer_models.errors import DataError
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.progress import report
from fer_models.storage.store import ArtifactStore

_CHUNK = 256


@dataclass(frozen=True)
class Candidates:
    """N distinct faces in the format of a model, uint8."""

    images: Images
    names: tuple[str, ...]
    shas: tuple[str, ...]
    places: tuple[Place | None, ...]
    """Where the picture of a face is; None: only the face itself is stored."""
    num_known: int = 0
    """Faces left out because they are in the data, or have been labelled."""
    num_copies: int = 0
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        """N."""
        return len(self.names)

    def image_files(self, rows: Sequence[int]) -> list[bytes]:
        """The image files of some faces: the pictures themselves, as ingest would read them."""
        places = [place for row in rows if (place := self.places[row]) is not None]
        contents = iter(list(read_places(places)))
        files = []
        for row in rows:
            content = png_bytes(self.images[row]) if self.places[row] is None else next(contents)
            if isinstance(content, str):
                raise DataError(f"{self.names[row]}: {content}; run the command again")
            files.append(content)
        return files


@dataclass
class _Collection:
    names: list[str] = field(default_factory=list)
    images: list[Images] = field(default_factory=list)
    places: list[Place | None] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def read_candidates(
    store: ArtifactStore, paths: Sequence[str], image_format: ImageFormat, known: frozenset[str]
) -> Candidates:
    """Read all faces; each picture shows one face, cut out.

    Args:
        store: holds the predictions that `predictions:7d` and `predictions:20` mean.
        paths: pictures, folders of pictures, `s3://` URLs, stored predictions.
        image_format: of the model.
        known: hashes of pixels that are left out.

    Raises:
        DataError: lists all paths that don't exist.
        StoreError: a bucket or the store can't be used.
    """
    found = _Collection()
    for text in filter(names_batches, paths):
        faces = recent_faces(store, text, image_format)
        found.names += faces.names
        found.images.append(faces.images)
        found.places += [None] * len(faces.names)
        why = f"its faces are not {image_format}, as the model takes them"
        found.skipped += [Skipped(f"batch {batch}", why) for batch in faces.other_formats]
    _read_pictures([path for path in paths if not names_batches(path)], image_format, found)
    images = np.concatenate([image_format.none(), *found.images])
    first: dict[str, int] = {}
    for row, sha in enumerate(pixel_sha256(images)):
        first.setdefault(sha, row)
    rows = [row for sha, row in first.items() if sha not in known]
    return Candidates(
        images=images[rows],
        names=tuple(found.names[row] for row in rows),
        shas=tuple(sha for sha in first if sha not in known),
        places=tuple(found.places[row] for row in rows),
        num_known=len(first) - len(rows),
        num_copies=len(images) - len(first),
        skipped=tuple(found.skipped),
    )


def _read_pictures(paths: Sequence[str], target: ImageFormat, found: _Collection) -> None:
    places = list_places(paths)
    for start in range(0, len(places), _CHUNK):
        report("select", start, len(places), "pictures")
        chunk = places[start : start + _CHUNK]
        for place, content in zip(chunk, read_places(chunk), strict=True):
            image = content if isinstance(content, str) else decode_image(content, target=target)
            if isinstance(image, str):
                found.skipped.append(Skipped(place.path, image))
                continue
            found.names.append(place.path)
            found.images.append(image[None])
            found.places.append(place)
    report("select", len(places), len(places), "pictures")
