"""Networks in int8: static quantisation of the convolutions, calibrated on images.

Weights get one scale for each output channel, activations one for each tensor, from the smallest
and largest value that calibration images give (onnxruntime's QDQ format).

Weights use seven of the eight bits, -64 to 64. Processors with AVX2 or AVX-512 but without VNNI add
two products of 8 bits in a number of 16 bits, which would overflow without notice; onnxruntime's
documentation recommends `reduce_range` for them. Others compute as fast, by the same kernels.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_models.errors import DataError
from fer_models.onnx_files.facts import IMAGES, METADATA_KEY, VIEWS, OnnxFacts
from fer_models.onnx_files.session import Images, open_onnx

MIN_IMAGES = 32
_BATCH = 32
_WITH_WARNINGS, _ERRORS_ONLY = 2, 3
_QUANTISED = ("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool")
_RESIZE = re.compile(r"network\d*/(rows|columns)(\.float32)?")
"""Names of the matrices that resize the images to a network's input."""


def quantize_onnx(source: Path, target: Path, images: Images) -> None:
    """Write a file as int8; inputs and outputs stay, but its accuracy is unknown.

    Its metadata get the share of the images that it answers as the source does, by one view.

    Args:
        source: an ONNX file that ferflow exported.
        target: the new file.
        images: some hundred training images, uint8 N x S x S (x 3), for calibration.

    Raises:
        DataError: these are too few images.
    """
    if len(images) < MIN_IMAGES:
        raise DataError(
            f"expected at least {MIN_IMAGES} images for the calibration of int8, got {len(images)}"
        )
    import onnxruntime
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    merged = target.with_name(f"{target.name}.merged")
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    try:
        # Merges normalisations into convolutions.
        quant_pre_process(str(source), str(merged), skip_symbolic_shape=True, skip_onnx_shape=True)
        quantization.quantize_static(
            str(merged),
            str(target),
            _Calibration(images),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,
            nodes_to_quantize=_nodes(merged),
        )
    finally:
        merged.unlink(missing_ok=True)
        onnxruntime.set_default_logger_severity(_WITH_WARNINGS)
    _describe(target, _share_of_same_answers(source, target, images))


class _Calibration:
    """Batches of images, as onnxruntime's `CalibrationDataReader` gives them."""

    def __init__(self, images: Images) -> None:
        images = images[..., None] if images.ndim == 3 else images
        starts = range(0, len(images), _BATCH)
        feeds = ({IMAGES: images[start : start + _BATCH], VIEWS: np.array([1])} for start in starts)
        self._feeds: Iterator[Mapping[str, Any]] = iter(feeds)

    def get_next(self) -> Mapping[str, Any] | None:
        """The next batch; None after the last one."""
        return next(self._feeds, None)


def _nodes(path: Path) -> list[str]:
    """The nodes of the networks: preprocessing and combination stay in float32."""
    import onnx

    nodes = onnx.load(str(path)).graph.node
    return [
        node.name
        for node in nodes
        if node.op_type in _QUANTISED
        and node.name.startswith("network")
        and not any(map(_RESIZE.fullmatch, node.input))
    ]


def _share_of_same_answers(source: Path, target: Path, images: Images) -> float:
    ours, theirs = (open_onnx(path).predict(images, 1).argmax(1) for path in (target, source))
    return float(np.mean(ours == theirs))


def _describe(path: Path, same_answers: float) -> None:
    """Say in the metadata that the file is int8, and how like the source it answers."""
    import onnx

    model = onnx.load(str(path))
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            facts = OnnxFacts.model_validate_json(entry.value)
            changed = {"precision": "int8", "accuracy": {}, "same_answers": same_answers}
            entry.value = facts.model_copy(update=changed).model_dump_json()
    onnx.save(model, str(path))
