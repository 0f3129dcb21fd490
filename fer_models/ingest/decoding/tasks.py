"""What is decoded, and where its pixels go: the same in threads and in worker processes."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.folder import read_file
from fer_models.ingest.files.image_pixels import Box, decode_pixels, thumbnail_pixels

Part = Box | Literal["largest face"] | None
"""What is cut out of an image; None: the whole of it."""
WHOLE_IMAGE: tuple[Part, ...] = (None,)
_IMAGES_PER_WRITE = 64


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
    """Decode some files; one outcome a face."""
    outcomes, run = list[Outcome](), _Run(destination)
    for task in tasks:
        content = task.content
        loaded = read_file(content.path) if isinstance(content, ImageFile) else content
        for position, box in enumerate(task.boxes, start=task.position):
            face = loaded if isinstance(loaded, str) else _decode(loaded, box, destination.target)
            if isinstance(face, str):
                outcomes.append((position, "", face))
            else:
                outcomes.append((position, hashlib.sha256(face).hexdigest(), ""))
                run.add(position, face)
    run.write()
    return outcomes


class _Run:
    """Images at consecutive positions, which are written together: a few large writes."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._start = 0
        self._images: list[bytes] = []

    def add(self, position: int, pixels: bytes) -> None:
        follows = position == self._start + len(self._images)
        if not follows or len(self._images) == _IMAGES_PER_WRITE:
            self.write()
        if not self._images:
            self._start = position
        self._images.append(pixels)

    def write(self) -> None:
        if not self._images:
            return
        target = self._destination.target
        self._destination.images(self._start * len(self._images[0]), b"".join(self._images))
        if self._destination.thumbnails is not None:
            small = thumbnail_pixels(self._images, target)
            self._destination.thumbnails(self._start * len(small[0]), b"".join(small))
        self._images = []


def _decode(data: bytes, part: Part, target: ImageFormat) -> bytes | str:
    if part != "largest face":
        return decode_pixels(data, part, target)
    # Workers that cut nothing out start without NumPy.
    from fer_models.ingest.decoding.largest_face import decode_largest_face

    face = decode_largest_face(data, target)
    return face if isinstance(face, str) else face.tobytes()
