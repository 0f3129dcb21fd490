"""What is decoded, and where its pixels go: the same in threads and in worker processes."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.folder import read_file
from fer_models.ingest.files.image_pixels import Box, decode_face
from fer_models.ingest.files.resizing import resized_together, thumbnail_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

Part = Box | Literal["largest face"] | None
"""What is cut out of an image; None: the whole of it."""
WHOLE_IMAGE: tuple[Part, ...] = (None,)
_FACES_PER_WRITE = 64


class ImageFile(NamedTuple):
    """An image file on this machine, which is read just before it is decoded."""

    path: str


Content = ImageFile | bytes | str
"""An image file, its bytes, or why there is none."""


class Task(NamedTuple):
    """One image file; its faces go to consecutive positions."""

    position: int
    """Of its first face in the array."""
    content: Content
    boxes: tuple[Part, ...] = WHOLE_IMAGE
    """The faces to cut out."""


Outcome = tuple[int, str, str]
"""Of a face: its position, the sha256 of its pixels (hex, "" if there are none), its problem or "".

A plain tuple, which is pickled six times faster than a named one.
"""


Put = Callable[[int, bytes], None]
"""Writes bytes at an offset of an array."""


@dataclass(frozen=True)
class Destination:
    """Where the pixels of M faces go."""

    images: Put
    """The M images of `target`."""
    thumbnails: Put | None
    """The M grey images of 48 x 48 px; None if the images are their own."""
    target: ImageFormat


def into_memory(array: memoryview) -> Put:
    """Write into the bytes of an array."""

    def put(offset: int, data: bytes) -> None:
        array[offset : offset + len(data)] = data

    return put


def into_file(file: int, start: int) -> Put:
    """Write into a file, in which the array begins at `start`.

    Not through a mapping, which takes three times as long: each new page is a fault.
    """

    def put(offset: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(file, rest, start + offset)
            offset, rest = offset + written, rest[written:]

    return put


def decode_tasks(tasks: Sequence[Task], destination: Destination) -> list[Outcome]:
    """Decode some files; one outcome a face, in any order."""
    run, outcomes = _Run(destination), list[Outcome]()
    for task in tasks:
        content = task.content
        loaded = read_file(content.path) if isinstance(content, ImageFile) else content
        for position, part in enumerate(task.boxes, start=task.position):
            face = loaded if isinstance(loaded, str) else _decode(loaded, part, destination.target)
            if isinstance(face, str):
                outcomes.append((position, "", face))
            else:
                outcomes += run.add(position, face)
    return outcomes + run.write()


class _Run:
    """Faces at consecutive positions, which are resized and written together."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._start = 0
        self._faces: list[bytes | Image] = []

    def add(self, position: int, face: "bytes | Image") -> list[Outcome]:
        """Add a face; the outcomes of those before it, if they had to be written."""
        follows = position == self._start + len(self._faces)
        written = [] if follows and len(self._faces) < _FACES_PER_WRITE else self.write()
        if not self._faces:
            self._start = position
        self._faces.append(face)
        return written

    def write(self) -> list[Outcome]:
        """Write the faces; their outcomes."""
        faces, self._faces = self._faces, []
        if not faces:
            return []
        destination, target = self._destination, self._destination.target
        resized = iter(resized_together([f for f in faces if not isinstance(f, bytes)], target))
        pixels = [face if isinstance(face, bytes) else next(resized) for face in faces]
        destination.images(self._start * len(pixels[0]), b"".join(pixels))
        if destination.thumbnails is not None:
            small = thumbnail_pixels(pixels, target)
            destination.thumbnails(self._start * len(small[0]), b"".join(small))
        digests = [hashlib.sha256(one).hexdigest() for one in pixels]
        return [(position, digest, "") for position, digest in enumerate(digests, self._start)]


def _decode(data: bytes, part: Part, target: ImageFormat) -> "bytes | Image | str":
    if part != "largest face":
        return decode_face(data, part, target)
    # Workers that cut nothing out start without NumPy.
    from fer_models.ingest.decoding.largest_face import decode_largest_face

    face = decode_largest_face(data, target)
    return face if isinstance(face, str) else face.tobytes()
