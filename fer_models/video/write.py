"""Write a video with what was found in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_models.errors import ConfigError, FerError
from fer_models.inference.picture import Pixels, PredictedFace
from fer_models.inference.results.drawing import draw_faces
from fer_models.output_file import replacing

if TYPE_CHECKING:
    import cv2

# What the wheel of opencv-python-headless can write: it has no H.264. VP8 plays in browsers.
CODECS = {".mp4": "mp4v", ".webm": "VP80", ".avi": "MJPG", ".mkv": "VP80"}


class AnnotatedVideo:
    """Takes frames in order and draws faces into them."""

    def __init__(self, path: Path, codec: str, frame_rate: float) -> None:
        self._path = path
        self._codec = codec
        self._frame_rate = frame_rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def add(self, pixels: Pixels, faces: tuple[PredictedFace, ...]) -> None:
        """Add a frame (RGB) with the faces in it.

        Raises:
            FerError: the video can't be written.
        """
        drawn = np.asarray(draw_faces(pixels, faces))
        if self._writer is None:
            # Codecs want even sides.
            self._size = (drawn.shape[1] & ~1, drawn.shape[0] & ~1)
            self._writer = self._opened()
        width, height = self._size
        if drawn.shape[0] < height or drawn.shape[1] < width:
            return
        self._writer.write(np.ascontiguousarray(drawn[:height, :width, ::-1]))

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.release()

    def _opened(self) -> "cv2.VideoWriter":
        import cv2

        code = cv2.VideoWriter.fourcc(*self._codec)
        writer = cv2.VideoWriter(str(self._path), code, self._frame_rate, self._size)
        if not writer.isOpened():
            raise FerError(
                f"this OpenCV can't write {self._codec} video; choose another ending "
                f"({', '.join(CODECS)})"
            )
        return writer


def check_codec(path: Path) -> str:
    """The codec of a video file, by its ending.

    Raises:
        ConfigError: no codec is known for it.
    """
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise ConfigError(
            f"{path}: expected a video file that ends with {', '.join(CODECS)}, got "
            f"{path.suffix or 'no ending'}; choose such a name"
        )
    return codec


@contextmanager
def annotated_video(path: Path, frame_rate: float) -> Iterator[AnnotatedVideo]:
    """A video file; it replaces an existing one at the end, and an error keeps that.

    Args:
        path: as `check_target` returned it; the ending decides the codec.
        frame_rate: frames a second.

    Raises:
        FerError: it can't be written.
    """
    codec = check_codec(path)
    with replacing(path) as temporary:
        # OpenCV chooses the container by the ending.
        named = temporary.with_name(temporary.name + path.suffix.lower())
        video = AnnotatedVideo(named, codec, frame_rate)
        try:
            try:
                yield video
            finally:
                video.close()
            if named.exists():
                os.replace(named, temporary)  # noqa: PTH105 - both are ours
        finally:
            named.unlink(missing_ok=True)
