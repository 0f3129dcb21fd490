"""Facial expression recognition: predictions in two lines, and the library of ferflow.

    import fer_models
    fer_models.predict("photo.jpg")

It does not depend on Prefect, so it also runs where only torch, timm, lightning and pandas are
installed. Importing it has no side effects: it creates no folder, reads no environment variable and
loads no heavy package; what is listed in `__all__` is imported on its first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_models.api.predict import load_model, predict
    from fer_models.api.predictions import PredictedPicture, Predictions
    from fer_models.api.store import Store, open_store
    from fer_models.api.video import VideoPrediction, predict_video
    from fer_models.errors import FerError
    from fer_models.inference.expression_model import ExpressionModel
    from fer_models.inference.picture import PredictedFace

__all__ = [
    "ExpressionModel",
    "FerError",
    "PredictedFace",
    "PredictedPicture",
    "Predictions",
    "Store",
    "VideoPrediction",
    "load_model",
    "open_store",
    "predict",
    "predict_video",
]

_MODULES = {
    "ExpressionModel": "fer_models.inference.expression_model",
    "FerError": "fer_models.errors",
    "PredictedFace": "fer_models.inference.picture",
    "PredictedPicture": "fer_models.api.predictions",
    "Predictions": "fer_models.api.predictions",
    "Store": "fer_models.api.store",
    "VideoPrediction": "fer_models.api.video",
    "load_model": "fer_models.api.predict",
    "open_store": "fer_models.api.store",
    "predict": "fer_models.api.predict",
    "predict_video": "fer_models.api.video",
}


def __getattr__(name: str) -> Any:
    """Import what `__all__` lists on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
