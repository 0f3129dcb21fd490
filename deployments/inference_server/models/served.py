"""A model that is ready to serve: loaded, warm, and known to predict."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fer_models.bundles.speed import DEFAULT_SPEED, Speed
from fer_models.dataset.snapshot import Images
from fer_models.errors import FerError, StoreError
from fer_models.faces.familiarity import MIN_FACES
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.heat.maps import HeatMapper, open_heat_maps
from fer_models.inference.open_model import open_model
from fer_models.storage.store import ArtifactStore

_log = logging.getLogger(__name__)
_TOLERANCE = 1e-3
_UNKNOWN = "%s: the unfamiliarity of faces is unknown: %s"
_NO_FACES = f"its training images are gone, or fewer than {MIN_FACES}"


@dataclass(frozen=True)
class ServedModel:
    """A model, what can be shown of it, and when it was loaded (seconds since 1970)."""

    model: ExpressionModel
    heat_maps: HeatMapper | None
    loaded_s: float


Load = Callable[[str], ServedModel]


def load_model(name: str, store: ArtifactStore | None, speed: Speed = DEFAULT_SPEED) -> ServedModel:
    """Load a model by its name, and predict one image with it.

    If the unfamiliarity of faces can't be computed, the served model has none.

    Raises:
        StoreError: the model does not exist, is damaged, or does not predict probabilities.
    """
    model = open_model(name, store, speed)
    blank = np.zeros((1, *model.image_format.shape), dtype=np.uint8)
    probs_1K = model.predict(blank)
    is_right = probs_1K.shape == (1, len(model.classes)) and bool(np.isfinite(probs_1K).all())
    if not is_right or abs(float(probs_1K.sum()) - 1) > _TOLERANCE:
        raise StoreError(
            f"{model.name}: expected {len(model.classes)} probabilities that sum to 1 for a blank "
            f"image, got {probs_1K.tolist()}; train or export the model again"
        )
    heat_maps = open_heat_maps(model.name, store)
    return ServedModel(_with_working_unfamiliarity(model, blank), heat_maps, time.time())


def _with_working_unfamiliarity(model: ExpressionModel, blank: Images) -> ExpressionModel:
    """The model; without unfamiliarity if that fails, such as when its training data are lost."""
    if model.unfamiliarity is None:
        return model
    try:
        if not np.isnan(model.unfamiliarity(blank)).all():
            return model
        _log.info(_UNKNOWN, model.name, _NO_FACES)
    except FerError as error:
        _log.warning(_UNKNOWN, model.name, error)
    return replace(model, unfamiliarity=None)
