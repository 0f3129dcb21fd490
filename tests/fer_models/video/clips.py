"""Small videos of grey squares that move."""

from pathlib import Path

import cv2
import numpy as np

from fer_models.faces.found import Colours
from fer_models.inference.expression_model import ExpressionModel
from fer_models.labels import CLASS_NAMES

SIZE = (160, 120)


def write_clip(path: Path, num_frames: int = 50, rate: float = 25, codec: str = "mp4v") -> Path:
    """A video whose brightness grows by 4 each frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, SIZE)
    assert writer.isOpened()
    for number in range(num_frames):
        writer.write(np.full((SIZE[1], SIZE[0], 3), min(4 * number, 255), dtype=np.uint8))
    writer.release()
    return path


def write_photos(path: Path, picture: Colours, num_frames: int = 2) -> Path:
    """A video whose frames are all the same picture, RGB."""
    size = (picture.shape[1], picture.shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, size)
    assert writer.isOpened()
    for _ in range(num_frames):
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    return path


def read_clip(path: Path) -> list[np.ndarray]:
    """All frames of a video, BGR."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        decoded, frame = capture.read()
        if not decoded:
            capture.release()
            return frames
        frames.append(frame)


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Class by mean brightness: the first for dark images, the last for bright ones."""
    means = images.reshape(len(images), -1).mean(axis=1)
    return np.eye(7, dtype=np.float32)[(means * 7 / 256).astype(int)]


MODEL = ExpressionModel("brightness", CLASS_NAMES, by_brightness)
