"""What a face detector finds in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

FacesMode = Literal["auto", "crop", "detect"]
"""`crop`: each picture is one face, cut out; `detect`: faces are searched; `auto`: decides."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a face, in pixels of the upright picture."""
Point = tuple[float, float]
"""x and y in pixels of the upright picture."""
Colours = npt.NDArray[np.uint8]
"""An upright picture in RGB, uint8 H x W x 3."""


@dataclass(frozen=True)
class FoundFace:
    """A face in a picture."""

    box: Box
    landmarks: tuple[Point, ...] = ()
    """Left eye, right eye, nose, left and right corner of the mouth, as seen; empty if unknown."""
    score: float = 1.0
    """Confidence of the detector, 0..1."""

    @property
    def area(self) -> int:
        """Of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def longer_side(self) -> int:
        """Of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    def scaled(self, factor: float) -> Self:
        """The face in the picture at `factor` times its size."""
        left, top, right, bottom = (round(edge * factor) for edge in self.box)
        points = tuple((x * factor, y * factor) for x, y in self.landmarks)
        return replace(self, box=(left, top, right, bottom), landmarks=points)


class FaceFinder(Protocol):
    """Finds the faces of each picture, the largest first."""

    def __call__(self, pictures: Sequence[Colours], scale: float = 1.0) -> list[list[FoundFace]]:
        """Find faces of at least the size that the settings give.

        Args:
            pictures: to search.
            scale: how many times larger the originals of the pictures were. The smallest size is
                in pixels of the originals, the faces found are in those of the pictures.
        """
        ...
