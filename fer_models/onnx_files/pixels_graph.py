"""Graph from uint8 images of any size to pixels of a model's format, as Pillow makes them.

`decode_image` converts a picture with Pillow; a person who runs an ONNX file elsewhere has none.
These nodes do the same arithmetic: luma, centre crop or padding, reduction by whole factors and
Lanczos, with rounding to whole grey levels in the same places. Images of the model's format are not
changed at all.

N images, H x W px, C channels; S side of the model's images.
"""

import math
from typing import TYPE_CHECKING

from fer_models.dataset.image_format import REDUCING_GAP, ImageFormat
from fer_models.onnx_files.graph import ONNX_BOOL, ONNX_FLOAT, ONNX_INT64, GraphBuilder

if TYPE_CHECKING:
    import onnx_ir as ir

# Pillow's luma: (19595 R + 38470 G + 7471 B + 32768) >> 16. All sums are exact in float32.
_LUMA = (19595.0, 38470.0, 7471.0)
_LUMA_ONE = 65536.0
_RGB = 3
_FIXED_POINT = 1 << 24
_LANCZOS = 3.0
_WHITE = 255.0
_PADDING = 128.0
_ROWS, _COLUMNS, _LAST = 2, 3, 3


def pixels_of(graph: GraphBuilder, images: "ir.Value", target: ImageFormat) -> "ir.Value":
    """Pixels of a format, whole numbers 0..255 as float N x c x S x S, of uint8 N x H x W x C."""
    pixels = _in_channels(graph, images, target.channels)
    sides = graph.op("Shape", pixels, start=_ROWS, end=_COLUMNS + 1)
    is_other = graph.op("Not", graph.op("Equal", sides, target.size_px))
    is_other = graph.op("ReduceMax", graph.op("Cast", is_other, to=ONNX_INT64), keepdims=0)
    return graph.branches(
        graph.op("Cast", is_other, to=ONNX_BOOL),
        then=lambda inner: _resized(inner, _square(inner, pixels, target), target.size_px),
        otherwise=lambda _: pixels,
    )


def _in_channels(graph: GraphBuilder, images: "ir.Value", channels: int) -> "ir.Value":
    """Float N x c x H x W: grey is repeated for three channels, colours become luma for one."""
    is_other = graph.op("Not", graph.op("Equal", graph.size(images, _LAST), channels))
    values = graph.branches(
        graph.op("Squeeze", is_other, [0]),
        then=lambda inner: _converted(inner, inner.op("Cast", images, to=ONNX_FLOAT), channels),
        otherwise=lambda inner: inner.op("Cast", images, to=ONNX_FLOAT),
    )
    return graph.op("Transpose", values, perm=[0, 3, 1, 2])


def _converted(graph: GraphBuilder, values: "ir.Value", channels: int) -> "ir.Value":
    if channels == _RGB:
        return graph.op("Expand", values, [1, 1, 1, _RGB])
    sums = graph.op("MatMul", values, [[weight] for weight in _LUMA])
    return _rounded(graph, graph.op("Div", sums, _LUMA_ONE))


def _square(graph: GraphBuilder, pixels: "ir.Value", target: ImageFormat) -> "ir.Value":
    """Cut to the centre, or with grey borders, as the format says."""
    height, width = graph.size(pixels, _ROWS), graph.size(pixels, _COLUMNS)
    if target.fit == "stretch":
        return pixels
    side = graph.op("Min" if target.fit == "crop" else "Max", height, width)
    missing = graph.op("Abs", graph.op("Sub", graph.op("Concat", height, width, axis=0), side))
    before = graph.op("Div", missing, 2)
    if target.fit == "crop":
        end = graph.op("Add", before, side)
        return graph.op("Slice", pixels, before, end, [_ROWS, _COLUMNS])
    pads = graph.op("Concat", before, graph.op("Sub", missing, before), axis=0)
    return graph.op("Pad", pixels, pads, _PADDING, [_ROWS, _COLUMNS])


def _resized(graph: GraphBuilder, pixels: "ir.Value", size_px: int) -> "ir.Value":
    """As `Image.resize` with Lanczos and a reducing gap: all steps are products of matrices."""
    rows, columns = graph.size(pixels, _ROWS), graph.size(pixels, _COLUMNS)
    row_factor, column_factor = (_factor(graph, one, size_px) for one in (rows, columns))
    blocks = _blocks(graph, rows, row_factor), _blocks(graph, columns, column_factor)
    pixels = _reduced(graph, pixels, *blocks)
    horizontal = _lanczos(graph, columns, column_factor, size_px)
    pixels = _clipped(graph, _product(graph, None, pixels, horizontal))
    vertical = _lanczos(graph, rows, row_factor, size_px)
    return _clipped(graph, _product(graph, vertical, pixels, None))


def _factor(graph: GraphBuilder, length: "ir.Value", size_px: int) -> "ir.Value":
    """The whole factor by which Pillow reduces an axis first; float of shape (1)."""
    ratio = graph.op("Div", graph.op("Cast", length, to=ONNX_FLOAT), size_px * REDUCING_GAP)
    return graph.op("Max", graph.op("Floor", ratio), 1.0)


def _blocks(graph: GraphBuilder, length: "ir.Value", factor: "ir.Value") -> "ir.Value":
    """1 where a pixel belongs to a block of `factor` neighbours, blocks x length, else 0."""
    extent = graph.op("Cast", length, to=ONNX_FLOAT)
    blocks = graph.op("Floor", graph.op("Div", _places(graph, extent), factor))
    numbers = _places(graph, graph.op("Ceil", graph.op("Div", extent, factor)))
    belongs = graph.op("Equal", graph.op("Unsqueeze", numbers, [1]), blocks)
    return graph.op("Cast", belongs, to=ONNX_FLOAT)


def _reduced(
    graph: GraphBuilder, pixels: "ir.Value", rows: "ir.Value", columns: "ir.Value"
) -> "ir.Value":
    """Means of blocks, in the whole-number arithmetic of `Image.reduce`."""
    sums = graph.op("Cast", _product(graph, rows, pixels, columns), to=ONNX_INT64)
    heights, widths = (graph.op("ReduceSum", one, [1], keepdims=1) for one in (rows, columns))
    counts = graph.op(
        "Cast", graph.op("Mul", heights, graph.op("Transpose", widths)), to=ONNX_INT64
    )
    rounded = graph.op("Add", sums, graph.op("Div", counts, 2))
    products = graph.op("Mul", rounded, graph.op("Div", _FIXED_POINT, counts))
    return graph.op("Cast", graph.op("Div", products, _FIXED_POINT), to=ONNX_FLOAT)


def _lanczos(
    graph: GraphBuilder, length: "ir.Value", factor: "ir.Value", size_px: int
) -> "ir.Value":
    """Weights of the pixels of a reduced axis for each of S pixels, S x reduced length."""
    extent = graph.op("Div", graph.op("Cast", length, to=ONNX_FLOAT), factor)
    scale = graph.op("Div", extent, float(size_px))
    centres = graph.op("Mul", [[row + 0.5] for row in range(size_px)], scale)
    places = graph.op("Add", _places(graph, graph.op("Ceil", extent)), 0.5)
    distance = graph.op("Div", graph.op("Sub", places, centres), graph.op("Max", scale, 1.0))
    angle = graph.op("Mul", distance, math.pi)
    weights = graph.op("Mul", _sinc(graph, angle), _sinc(graph, graph.op("Div", angle, _LANCZOS)))
    inside = graph.op("Less", graph.op("Abs", distance), _LANCZOS)
    return _normalised(graph, graph.op("Where", inside, weights, 0.0))


def _sinc(graph: GraphBuilder, angle: "ir.Value") -> "ir.Value":
    is_zero = graph.op("Equal", angle, 0.0)
    safe = graph.op("Where", is_zero, 1.0, angle)
    return graph.op("Where", is_zero, 1.0, graph.op("Div", graph.op("Sin", safe), safe))


def _places(graph: GraphBuilder, count: "ir.Value") -> "ir.Value":
    """0, 1, ... up to a float of shape (1), without it."""
    return graph.op("Range", 0.0, graph.op("Squeeze", count, [0]), 1.0)


def _normalised(graph: GraphBuilder, weights: "ir.Value") -> "ir.Value":
    return graph.op("Div", weights, graph.op("ReduceSum", weights, [1], keepdims=1))


def _product(
    graph: GraphBuilder, left: "ir.Value | None", pixels: "ir.Value", right: "ir.Value | None"
) -> "ir.Value":
    """`left` times pixels times the transposed `right`."""
    if right is not None:
        pixels = graph.op("MatMul", pixels, graph.op("Transpose", right, perm=[1, 0]))
    return pixels if left is None else graph.op("MatMul", left, pixels)


def _rounded(graph: GraphBuilder, values: "ir.Value") -> "ir.Value":
    """Halves are rounded up; ONNX's Round would round them to even numbers."""
    return graph.op("Floor", graph.op("Add", values, 0.5))


def _clipped(graph: GraphBuilder, values: "ir.Value") -> "ir.Value":
    return graph.op("Clip", _rounded(graph, values), 0.0, _WHITE)
