"""What is decoded, and where its pixels go: the same in threads and in worker processes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fer_models.dataset.image_format import ImageFormat, Pixels, thumbnail_of
from fer_models.ingest.files.folder import read_file
from fer_models.ingest.files.image_decoding import Box, PixelImage, decode_image

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


class Outcome(NamedTuple):
    """A face that was written to its position, or why it was not."""

    position: int
    sha256: str
    """Of its pixels, hex; "" if there are none."""
    problem: str


@dataclass(frozen=True)
class Arrays:
    """Where the pixels of M faces go."""

    images: Pixels
    """uint8, M images of `target`."""
    thumbnails: Pixels | None
    """uint8 M x 48 x 48; None if the images are their own."""
    target: ImageFormat


def decode_tasks(tasks: Sequence[Task], arrays: Arrays) -> list[Outcome]:
    """Decode some files into the arrays; one outcome a face."""
    return [outcome for task in tasks for outcome in _decode_task(task, arrays)]


def _decode_task(task: Task, arrays: Arrays) -> list[Outcome]:
    content = task.content
    loaded = read_file(content.path) if isinstance(content, ImageFile) else content
    outcomes = []
    for position, box in enumerate(task.boxes, start=task.position):
        decoded = loaded if isinstance(loaded, str) else _decode(loaded, box, arrays.target)
        if isinstance(decoded, str):
            outcomes.append(Outcome(position, "", decoded))
            continue
        arrays.images[position] = decoded
        if arrays.thumbnails is not None:
            arrays.thumbnails[position] = thumbnail_of(decoded)
        outcomes.append(Outcome(position, hashlib.sha256(decoded.data).hexdigest(), ""))
    return outcomes


def _decode(data: bytes, part: Part, target: ImageFormat) -> PixelImage | str:
    if part == "largest face":
        from fer_models.ingest.decoding.largest_face import decode_largest_face

        return decode_largest_face(data, target)
    return decode_image(data, part, target)
