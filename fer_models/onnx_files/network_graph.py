"""Graph of one network, exported by torch: pixels of the model's format in, probabilities out.

B images of c channels and S x S px, on the 0..1 scale; K classes.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_models.dataset.image_format import recorded_format
from fer_models.errors import ConfigError
from fer_models.models.probe import first_line
from fer_models.onnx_files.graph import OPSET
from fer_models.onnx_files.pooling import move_pooling_back
from fer_models.training.inputs.batches import LUMA
from fer_models.training.inputs.data import Preprocessing

if TYPE_CHECKING:
    import onnx_ir as ir

NETWORK = "network."
"""Prefix of the names of a network's weights in the graph."""


class _Probabilities(nn.Module):
    """A network with the arithmetic of `to_inputs`, and the softmax.

    The antialiased resize is written as two products of matrices, which every runtime has; torch's
    operator is exported as a resize that differs from it by 0.02.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self._preprocessing = preprocessing
        size_px = recorded_format(preprocessing).size_px
        self._is_resized = size_px != preprocessing["image_size_px"]
        weights = _resize_weights(size_px, preprocessing["image_size_px"])
        self.register_buffer("rows", weights, persistent=False)
        self.register_buffer("columns", weights.T.contiguous(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities B x K of images B x c x S x S."""
        facts = self._preprocessing
        if self._is_resized:
            images = self.rows @ images @ self.columns
        if images.shape[1] > facts["in_channels"]:
            images = (images * images.new_tensor(LUMA).view(1, -1, 1, 1)).sum(1, keepdim=True)
        images = (images - facts["mean"]) / facts["std"]
        images = images.expand(-1, facts["in_channels"], -1, -1)
        return torch.softmax(self.network(images).float(), dim=1)


def network_graph(network: nn.Module, preprocessing: Preprocessing) -> "ir.Model":
    """Export a network; weights keep their names, with `NETWORK` before them.

    Args:
        network: in evaluation mode, on the CPU; returns logits.
        preprocessing: input size and normalisation.

    Raises:
        ConfigError: torch can't export it.
    """
    module = _Probabilities(network, preprocessing).eval()
    image_format = recorded_format(preprocessing)
    shape = (2, image_format.channels, image_format.size_px, image_format.size_px)
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                (torch.zeros(shape),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                opset_version=OPSET,
                input_names=["pixels"],
                output_names=["probabilities"],
                # Would merge normalisations into convolutions: onnxruntime does that on loading,
                # and so the weights keep their names and their precision.
                optimize=False,
                verbose=False,
            )
    except Exception as error:
        raise ConfigError(
            f"torch can't export the network {type(network).__name__} as ONNX "
            f"({first_line(error)}); export it as a bundle (without --onnx), or use another network"
        ) from error
    assert program is not None
    _simplify(program.model)
    return program.model


def _resize_weights(size_px: int, input_px: int) -> Tensor:
    """The antialiased bilinear resize of torch as a matrix, input side x image side."""
    identity = torch.eye(size_px)[None, None]
    resized = functional.interpolate(
        identity, (input_px, size_px), mode="bilinear", align_corners=False, antialias=True
    )
    return resized[0, 0].contiguous()


def _simplify(model: "ir.Model") -> None:
    """Compute constants of shapes; weights stay as they are.

    The exporter's notes are removed: they hold paths of this machine.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass
    from onnxscript import optimizer

    optimizer.inline(model)
    optimizer.fold_constants(model, input_size_limit=64, output_size_limit=1024)
    optimizer.remove_unused_nodes(model)
    move_pooling_back(model.graph)
    ClearMetadataAndDocStringPass()(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about versions and unused operators."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
