"""Graph of the views of test-time augmentation (TTA), as `training.inputs.tta` makes them.

N images of c channels and S x S px; V views.
"""

from typing import TYPE_CHECKING

import numpy as np

from fer_models.onnx_files.graph import GraphBuilder

if TYPE_CHECKING:
    import onnx_ir as ir

_LARGEST = np.iinfo(np.int64).max


def stacked_views(
    graph: GraphBuilder, images: "ir.Value", tta: str, size_px: int, views: "ir.Value"
) -> "ir.Value":
    """The first `views` views, V x N x c x S x S; all of them if there are fewer.

    The image and its mirror image come first. The others cost time of their own, so they are not
    computed if they are not asked for.
    """
    if tta == "none":
        stacked = graph.op("Unsqueeze", images, [0])
    elif tta == "flip":
        stacked = _with_mirrored(graph, [images])
    else:
        stacked = graph.branches(
            graph.op("Squeeze", graph.op("Greater", views, 2), [0]),
            then=lambda inner: _with_mirrored(inner, _unmirrored(inner, images, tta, size_px)),
            otherwise=lambda inner: _with_mirrored(inner, [images]),
        )
    return graph.op("Slice", stacked, [0], views, [0])


def _with_mirrored(graph: GraphBuilder, unmirrored: "list[ir.Value]") -> "ir.Value":
    """Each view, followed by its mirror image."""
    views = []
    for view in unmirrored:
        mirrored = graph.op("Slice", view, [-1], [-_LARGEST], [3], [-1])
        views += [graph.op("Unsqueeze", one, [0]) for one in (view, mirrored)]
    return graph.op("Concat", *views, axis=0)


def _unmirrored(
    graph: GraphBuilder, images: "ir.Value", tta: str, size_px: int
) -> "list[ir.Value]":
    from fer_models.training.inputs.tta import CROPS, SHIFT_PX, affine_matrices

    pads = [0, 0, SHIFT_PX, SHIFT_PX] * 2
    padded = graph.op("Pad", images, pads, mode="edge")
    ends = [(top + size_px, left + size_px) for top, left in CROPS]
    views = [
        graph.op("Slice", padded, start, end, [2, 3])
        for start, end in zip(CROPS, ends, strict=True)
    ]
    if tta == "affine":
        views += [_sampled(graph, images, matrix, size_px) for matrix in affine_matrices()]
    return views


def _sampled(
    graph: GraphBuilder, images: "ir.Value", matrix: list[list[float]], size_px: int
) -> "ir.Value":
    shape = graph.op("Concat", graph.size(images, 0), [1, 1, 1], axis=0)
    grids = graph.op("Expand", _grid(graph, matrix, size_px), shape)
    return graph.op(
        "GridSample", images, grids, mode="bilinear", padding_mode="reflection", align_corners=0
    )


def _grid(graph: GraphBuilder, matrix: list[list[float]], size_px: int) -> "ir.Value":
    """Where the pixels of a view are taken from, 1 x S x S x 2, as `affine_grid` computes it.

    Runtimes compute it once, when they load the file.
    """
    places = (2 * np.arange(size_px) + 1) / size_px - 1
    axes = []
    for x_weight, y_weight, shift in matrix:
        x, y = places[None, :] * x_weight + shift, places[:, None] * y_weight
        axes.append(graph.op("Unsqueeze", graph.op("Add", x, y), [0, 3]))
    return graph.op("Concat", *axes, axis=3)
