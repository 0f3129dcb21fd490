"""Heat maps of a model by its name: where in a face its prediction comes from.

N images of S x S px.
"""

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fer_models.bundles.names import is_bundle, is_onnx_file
from fer_models.dataset.snapshot import Images
from fer_models.inference.open_model import stored_model
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.inference.networks import LoadedModel

Heat = npt.NDArray[np.float32]
HeatMapper = Callable[[Images, npt.NDArray[np.int64]], Heat]
"""Maps uint8 images N x S x S (x 3) and one class for each to maps N x S x S, 0..1."""


def open_heat_maps(name: str, store: ArtifactStore | None = None) -> HeatMapper | None:
    """The Grad-CAM of a model; for an ensemble the mean over its networks that have one.

    Args:
        name: as for `open_model`.
        store: contains stored models.

    Returns:
        None if the model has no spatial feature maps, such as a vision transformer, if it is an
        ONNX file, or if torch is not installed.

    Raises:
        StoreError: the model is missing or damaged.

    Example:
        heat_maps = open_heat_maps("bundled")
        heat_1SS = heat_maps(image_1SS, np.array([3]))
    """
    loaded = _loaded(name, store)
    if loaded is None:
        return None
    from fer_models.inference.heat.grad_cam import grad_cam

    blank = np.zeros((1, *loaded.image_format.shape), dtype=np.uint8)
    no_class = np.zeros(1, np.int64)
    explained = [one for one in loaded.parts if grad_cam(*one, blank, no_class) is not None]
    if not explained:
        return None

    def mean_map(images: Images, classes: npt.NDArray[np.int64]) -> Heat:
        maps = [grad_cam(*one, images, classes) for one in explained]
        mean_NSS = np.mean([one for one in maps if one is not None], axis=0)
        return np.asarray(mean_NSS, dtype=np.float32)

    return mean_map


def _loaded(name: str, store: ArtifactStore | None) -> "LoadedModel | None":
    """The networks of a model; None if it has none that can be differentiated."""
    if is_onnx_file(name) or importlib.util.find_spec("torch") is None:
        return None
    from fer_models.inference.networks import load_bundled, load_stored

    if is_bundle(name):
        return load_bundled(name)
    return load_stored(store, stored_model(store, name)) if store is not None else None
