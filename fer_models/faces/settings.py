"""Settings of the search for faces."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig

Detector = Literal["mtcnn", "yunet"]
SHORTEST_FACE_PX = 16
"""The networks see nothing in a smaller face."""


class FaceSettings(FrozenConfig):
    """How faces are searched for in a picture."""

    detector: Detector = "mtcnn"
    """`mtcnn` is installed with ferflow; `yunet` needs its model file, see `docs/faces.md`."""
    min_size_px: int = Field(default=32, ge=SHORTEST_FACE_PX)
    """Smallest face to search for: the longer side of its box, in pixels of the picture."""
    min_score: float = Field(default=0.7, gt=0, lt=1)
    """Least confidence of the detector, 0..1."""
    max_side_px: int = Field(default=1280, ge=64)
    """Larger pictures are searched at this length of their longer side, in pixels."""


DEFAULT_FACES = FaceSettings()
