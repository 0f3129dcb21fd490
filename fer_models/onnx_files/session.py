"""Run an ONNX file by onnxruntime, without torch.

N images, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.errors import StoreError
from fer_models.onnx_files.facts import IMAGES, METADATA_KEY, PROBABILITIES, VIEWS, OnnxFacts
from fer_models.processes import num_cores

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
# More forward passes at a time are not faster, and take memory.
_PASSES_PER_BATCH = 64


@dataclass(frozen=True)
class OnnxModel:
    """An opened file."""

    facts: OnnxFacts
    run: Callable[[Images, int], Probabilities]
    """Probabilities N x K of uint8 images N x H x W x C, with a number of views."""

    def predict(self, images: Images, views: int | None = None) -> Probabilities:
        """Probabilities N x K of uint8 images, N x H x W or N x H x W x C, a batch at a time."""
        views = min(views or self.facts.views, self.facts.views)
        images = images[..., None] if images.ndim == 3 else images
        size = max(1, _PASSES_PER_BATCH // views)
        parts = [
            self.run(images[start : start + size], views) for start in range(0, len(images), size)
        ]
        return np.concatenate([np.zeros((0, len(self.facts.classes)), np.float32), *parts])


def open_onnx(path: Path, threads: int | None = None) -> OnnxModel:
    """Open a file that ferflow exported.

    Args:
        path: the file.
        threads: of one prediction; by default one for each core.

    Raises:
        StoreError: the file is missing, damaged or was not exported by ferflow.

    Example:
        model = open_onnx(Path("face_cnn.onnx"))
        model.predict(images, views=2)  # uint8 N x 48 x 48 -> N x K
    """
    session = _session(path, threads or num_cores())
    facts = _facts(path, session)

    def run(images: Images, views: int) -> Probabilities:
        feeds = {IMAGES: images, VIEWS: np.array([views], dtype=np.int64)}
        [probabilities] = session.run([PROBABILITIES], feeds)
        return np.asarray(probabilities, dtype=np.float32)

    return OnnxModel(facts, run)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait actively would take the cores of other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _facts(path: Path, session: Any) -> OnnxFacts:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise StoreError(f"{path}: expected an ONNX file that ferflow exported")
    return OnnxFacts.model_validate_json(text)
