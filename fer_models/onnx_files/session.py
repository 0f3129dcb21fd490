"""Run an ONNX file by onnxruntime, without torch.

N images, H x W px, C channels, K classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from fer_models.errors import NotFoundError, StoreError
from fer_models.onnx_files.facts import IMAGES, METADATA_KEY, PROBABILITIES, VIEWS, OnnxFacts
from fer_models.processes import num_cores

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
# More forward passes at a time are not faster, and take memory.
_PASSES_PER_BATCH = 64
_ADVICE = "copy it again, or export the model with `ferflow models export MODEL FOLDER --onnx`"


@dataclass(frozen=True)
class OnnxModel:
    """An opened file."""

    facts: OnnxFacts
    session: Any
    """An `onnxruntime.InferenceSession`."""

    def predict(self, images: Images, views: int | None = None) -> Probabilities:
        """Probabilities N x K of uint8 images, a batch at a time.

        Args:
            images: N x H x W (grey) or N x H x W x C with C 1 or 3, of any size.
            views: how many views of each image are read; by default, and at most, those of the
                file.
        """
        views = min(views or self.facts.views, self.facts.views)
        images = images[..., None] if images.ndim == 3 else images
        size = max(1, _PASSES_PER_BATCH // views)
        parts = [
            self._run(images[start : start + size], views) for start in range(0, len(images), size)
        ]
        return np.concatenate([np.zeros((0, len(self.facts.classes)), np.float32), *parts])

    def _run(self, images: Images, views: int) -> Probabilities:
        feeds = {IMAGES: images, VIEWS: np.array([views], dtype=np.int64)}
        [probabilities] = self.session.run([PROBABILITIES], feeds)
        return np.asarray(probabilities, dtype=np.float32)


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
    if not path.is_file():
        raise NotFoundError(
            f"{path}: expected an ONNX file, got nothing or a folder; check the path"
        )
    session = _session(path, threads or num_cores())
    return OnnxModel(_facts(path, session), session)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait actively would take the cores of other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(
            f"{path}: expected an ONNX file that onnxruntime can load ({reason}). If it was "
            "exported without its weights, the .safetensors file must lie beside it; otherwise "
            f"{_ADVICE}"
        ) from error


def _facts(path: Path, session: Any) -> OnnxFacts:
    """The metadata, if the inputs and outputs are those of this version."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise StoreError(
            f"{path}: expected an ONNX file that ferflow exported, got one without ferflow's "
            f"metadata: its classes and the form of its input are unknown; {_ADVICE}"
        )
    try:
        facts = OnnxFacts.model_validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise StoreError(
            f"{path}: expected the metadata of this version of ferflow; {_ADVICE}",
            [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems],
        ) from error
    problems_of_graph = _graph_problems(session, facts)
    if problems_of_graph:
        raise StoreError(
            f"{path}: the graph is not the one that the metadata describe; {_ADVICE}",
            problems_of_graph,
        )
    return facts


def _graph_problems(session: Any, facts: OnnxFacts) -> list[str]:
    optional = [(one.name, one.type) for one in session.get_overridable_initializers()]
    found = {
        "inputs": [(one.name, one.type, len(one.shape)) for one in session.get_inputs()],
        "optional inputs": [one for one in optional if one[0] == VIEWS],
        "outputs": [(one.name, one.type, one.shape[-1]) for one in session.get_outputs()],
    }
    expected = {
        "inputs": [(IMAGES, "tensor(uint8)", 4)],
        "optional inputs": [(VIEWS, "tensor(int64)")],
        "outputs": [(PROBABILITIES, "tensor(float)", len(facts.classes))],
    }
    return [
        f"{what}: expected {expected[what]}, got {found[what]}"
        for what in found
        if found[what] != expected[what]
    ]
