"""What is decoded, and where its pixels go: the same in threads and in worker processes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.folder import read_file
from fer_models.ingest.files.image_pixels import Box, decode_pixels, thumbnail_pixels

Part = Box | Literal["largest face"] | None
"""What is cut out of an image; None: the whole of it."""
WHOLE_IMAGE: tuple[Part, ...] = (None,)


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


@dataclass(frozen=True)
class Destination:
    """Where the pixels of M faces go."""

    images: memoryview
    """Bytes of M images of `target`."""
    thumbnails: memoryview | None
    """Bytes of M grey images of 48 x 48 px; None if the images are their own."""
    target: ImageFormat


def decode_tasks(tasks: Sequence[Task], destination: Destination) -> list[Outcome]:
    """Decode some files; one outcome a face."""
    return [outcome for task in tasks for outcome in _decode_task(task, destination)]


def _decode_task(task: Task, destination: Destination) -> list[Outcome]:
    content, target = task.content, destination.target
    loaded = read_file(content.path) if isinstance(content, ImageFile) else content
    outcomes: list[Outcome] = []
    for position, box in enumerate(task.boxes, start=task.position):
        pixels = loaded if isinstance(loaded, str) else _decode(loaded, box, target)
        if isinstance(pixels, str):
            outcomes.append((position, "", pixels))
            continue
        _put(destination.images, position, pixels)
        if destination.thumbnails is not None:
            _put(destination.thumbnails, position, thumbnail_pixels(pixels, target))
        outcomes.append((position, hashlib.sha256(pixels).hexdigest(), ""))
    return outcomes


def _put(images: memoryview, position: int, pixels: bytes) -> None:
    start = position * len(pixels)
    images[start : start + len(pixels)] = pixels


def _decode(data: bytes, part: Part, target: ImageFormat) -> bytes | str:
    if part != "largest face":
        return decode_pixels(data, part, target)
    # Workers that cut nothing out start without NumPy.
    from fer_models.ingest.decoding.largest_face import decode_largest_face

    face = decode_largest_face(data, target)
    return face if isinstance(face, str) else face.tobytes()
