"""Frames of a video file or a camera, by OpenCV."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_models.errors import DataError, FerError
from fer_models.inference.picture import Pixels
from fer_models.progress import warn
from fer_models.user_input import printable, user_path

if TYPE_CHECKING:
    import cv2

_STAGE = "video"
_DEFAULT_RATE = 25.0
_MAX_RATE = 1000.0
_MAX_CAMERA = 99


@dataclass(frozen=True)
class Frame:
    """One frame: its number from 0, and its time in seconds."""

    number: int
    time_s: float
    is_chosen: bool
    """Whether it is to be analysed; it has pixels then."""
    pixels: Pixels | None
    """RGB, uint8 H x W x 3; None if it was not decoded."""


class Video:
    """An open video; see `open_video`."""

    def __init__(self, name: str, capture: "cv2.VideoCapture", is_camera: bool) -> None:
        import cv2

        self.name = name
        self.is_camera = is_camera
        self._capture = capture
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.frame_rate = rate if 0 < rate <= _MAX_RATE else _DEFAULT_RATE
        """Frames a second."""
        self.num_frames = 0 if is_camera else max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """As the file says; 0 if it doesn't."""

    def frames(self, rate: float, *, decode_all: bool = False) -> Iterator[Frame]:
        """All frames in order.

        A file that ends before its announced end is a warning.

        Args:
            rate: chosen frames a second.
            decode_all: decode the others, too.
        """
        number, next_s, start_s = 0, 0.0, time.monotonic()
        # Half a frame early is closer than half a frame late.
        early_s = 0.5 / self.frame_rate
        while self._capture.grab():
            time_s = time.monotonic() - start_s if self.is_camera else self._time_s(number)
            is_chosen = time_s >= next_s - early_s
            pixels = self._pixels() if is_chosen or decode_all else None
            if is_chosen and pixels is not None:
                # The next moment after this frame, however long the video paused.
                next_s = max(next_s, math.floor((time_s + early_s) * rate) / rate) + 1 / rate
            yield Frame(number, time_s, is_chosen and pixels is not None, pixels)
            number += 1
        if number < self.num_frames - 1:
            warn(
                _STAGE,
                f"{self.name}: {number} of {self.num_frames} frames could be read; the file is "
                "damaged or cut off",
            )

    def _time_s(self, number: int) -> float:
        import cv2

        time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Some files have no times.
        return time_s if time_s > 0 or number == 0 else number / self.frame_rate

    def _pixels(self) -> Pixels | None:
        decoded, bgr = self._capture.retrieve()
        return np.ascontiguousarray(bgr[..., ::-1]) if decoded else None


@contextmanager
def open_video(source: str) -> Iterator[Video]:
    """Open a video file, or a camera by its number.

    Raises:
        DataError: there is no such file or camera, or it is no video.
        FerError: OpenCV is not installed.

    Example:
        with open_video("clip.mp4") as video:
            for frame in video.frames(rate=5):
                ...
    """
    cv2 = _opencv()
    is_camera = source.isascii() and source.isdigit()
    capture = cv2.VideoCapture(_camera(source) if is_camera else _file(source))
    try:
        if not capture.isOpened():
            raise DataError(_no_camera(source) if is_camera else _no_video(source))
        yield Video(f"camera {source}" if is_camera else source, capture, is_camera)
    finally:
        capture.release()


def _camera(source: str) -> int:
    if int(source) > _MAX_CAMERA:
        raise DataError(f"camera {source}: expected a number of at most {_MAX_CAMERA}")
    return int(source)


def _file(source: str) -> str:
    path = user_path(source)
    if "://" in source:
        raise DataError(f"{printable(source)}: a URL; download it, then name the file")
    if path.is_dir():
        raise DataError(f"{printable(source)}: expected a video file, got a folder")
    if not path.exists():
        raise DataError(f"{printable(source)}: no such file; check the spelling")
    return str(path.absolute())


def _no_camera(source: str) -> str:
    present = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video[0-9]*"))
    known = f"there are {', '.join(present)}" if present else "this machine shows none"
    return (
        f"camera {source}: expected a camera of this number, {known}; connect one and check that "
        "this user may use it, or name a video file"
    )


def _no_video(source: str) -> str:
    return (
        f"{printable(source)}: expected a video that OpenCV can read (mp4, mov, avi, mkv, webm), "
        "got something else, or it is damaged; convert it (ffmpeg -i FILE out.mp4) or copy it "
        "again"
    )


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise FerError(
            "videos need the package opencv-python-headless; install it (pip install "
            "opencv-python-headless)"
        ) from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
