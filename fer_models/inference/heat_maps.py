"""Heat maps of a model by its name: where in a face its prediction comes from.

N images of S x S px.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import Images
from fer_models.evaluation.predictions import networks_of
from fer_models.inference.model_names import bundle_of, is_bundle, needs_store
from fer_models.inference.open_model import stored_model
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from torch import nn

    from fer_models.training.inputs.data import Preprocessing

Heat = npt.NDArray[np.float32]
HeatMapper = Callable[[Images, npt.NDArray[np.int64]], Heat]
"""Maps uint8 images N x S x S (x 3) and one class for each to maps N x S x S, 0..1."""


def open_heat_maps(name: str, store: ArtifactStore | None = None) -> HeatMapper | None:
    """The Grad-CAM of a model; for an ensemble the mean over its networks that have one.

    Args:
        name: as for `open_model`.
        store: contains stored models.

    Returns:
        None if the model has no spatial feature maps, such as a vision transformer, or its networks
        can't be opened, such as an ONNX file.

    Example:
        heat_maps = open_heat_maps("bundled")
        heat_1SS = heat_maps(image_1SS, np.array([3]))
    """
    from fer_models.inference.grad_cam import grad_cam

    explained = []
    for network, preprocessing in _networks(name, store):
        blank = np.zeros((1, *recorded_format(preprocessing).shape), dtype=np.uint8)
        if grad_cam(network, preprocessing, blank, np.zeros(1, np.int64)) is not None:
            explained.append((network, preprocessing))
    if not explained:
        return None

    def mean_map(images: Images, classes: npt.NDArray[np.int64]) -> Heat:
        maps = [grad_cam(*one, images, classes) for one in explained]
        mean_NSS = np.mean([one for one in maps if one is not None], axis=0)
        return np.asarray(mean_NSS, dtype=np.float32)

    return mean_map


def _networks(
    name: str, store: ArtifactStore | None
) -> Sequence[tuple["nn.Module", "Preprocessing"]]:
    """The networks of a model with their preprocessing; none of an unknown kind of model."""
    if is_bundle(name):
        from fer_models.inference.bundle import EnsembleBundle, load_any_bundle

        bundle = load_any_bundle(bundle_of(name)[1])
        if isinstance(bundle, EnsembleBundle):
            return bundle.members
        return [(bundle.network, bundle.preprocessing)]
    if store is None or not needs_store(name):
        return []
    from fer_models.training.predict import load_network

    return [load_network(store, one) for one in networks_of(store, stored_model(store, name))]
