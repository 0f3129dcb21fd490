"""YuNet by OpenCV: a fast face detector whose model file the user provides."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.errors import FerError
from fer_models.faces.found import Colours, FoundFace
from fer_models.faces.settings import FaceSettings

MODEL_VARIABLE = "FERFLOW_YUNET"
_DEFAULT_FILE = Path(".ferflow") / "face_detection_yunet.onnx"
_MAX_OVERLAP = 0.3
_SHORTEST_PX = 32
# Of a row: box (4), five points (10) and score.
_POINTS, _SCORE = slice(4, 14), 14


class YunetFinder:
    """Finds faces with one detector, which threads use in turn."""

    def __init__(self, settings: FaceSettings) -> None:
        """Load the model file.

        Raises:
            FerError: OpenCV or the model file is missing, or it is no model of YuNet.
        """
        self._detector = _detector(model_file(), settings.min_score)
        self._lock = threading.Lock()

    def find(self, picture: Colours, _min_size_px: int) -> list[FoundFace]:
        """The faces of a picture, in any order."""
        height, width = picture.shape[:2]
        if min(height, width) < _SHORTEST_PX:
            return []
        with self._lock:
            self._detector.setInputSize((width, height))
            _, rows = self._detector.detect(np.ascontiguousarray(picture[..., ::-1]))
        return [] if rows is None else [_face(row) for row in rows]


def model_file() -> Path:
    """Where the model file is expected: FERFLOW_YUNET, or in `.ferflow` of the home folder."""
    return Path(os.environ.get(MODEL_VARIABLE) or Path.home() / _DEFAULT_FILE)


def _detector(path: Path, min_score: float) -> Any:
    if not path.is_file():
        raise FerError(
            f"the detector yunet needs its model file, there is none at {path}; save "
            f"face_detection_yunet_2023mar.onnx of the OpenCV Zoo there, set {MODEL_VARIABLE} to "
            "its path, or use the detector mtcnn"
        )
    try:
        import cv2
    except ImportError as error:
        raise FerError(
            "the detector yunet needs OpenCV; pip install opencv-python-headless, or use the "
            "detector mtcnn"
        ) from error
    try:
        detector = cv2.FaceDetectorYN.create(
            str(path), "", (_SHORTEST_PX, _SHORTEST_PX), min_score, _MAX_OVERLAP
        )
        # Another network is loaded, too: only its use fails.
        detector.detect(np.zeros((_SHORTEST_PX, _SHORTEST_PX, 3), dtype=np.uint8))
    except cv2.error as error:
        raise FerError(
            f"{path}: expected the model file of YuNet, OpenCV can't use it; download it again, or "
            "use the detector mtcnn"
        ) from error
    return detector


def _face(row: Any) -> FoundFace:
    left, top, width, height = (float(value) for value in row[:4])
    points = [(float(x), float(y)) for x, y in row[_POINTS].reshape(5, 2)]
    box = (round(left), round(top), round(left + width), round(top + height))
    return FoundFace(box, tuple(points), min(max(float(row[_SCORE]), 0.0), 1.0))
