"""The Prefect flows, one per file: which tasks run, in which order.

    from flows import run_pipeline
    run_pipeline(recipe="demo")

A flow has the name of its module. Here the name is the flow; `flows.run_pipeline.run_pipeline`, the
entry point of a deployment, is the same one. Prefect is imported on the first use.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.prepare_data import prepare_data
    from flows.promote_model import promote_model
    from flows.retrain import retrain
    from flows.run_pipeline import run_pipeline
    from flows.train_models import train_models

__all__ = ["prepare_data", "promote_model", "retrain", "run_pipeline", "train_models"]


class _Flows(ModuleType):
    """A package whose attributes are flows, also after their modules were imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import of a module sets it as attribute of its package, which would hide the flow.
        if name in __all__ and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    """Import a flow on its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{name}"), name)


def __dir__() -> list[str]:
    """The flows."""
    return sorted(__all__)


sys.modules[__name__].__class__ = _Flows
