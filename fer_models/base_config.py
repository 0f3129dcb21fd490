"""Base class of all configuration models: frozen, unknown keys are rejected."""

from pydantic import BaseModel, ConfigDict


class FrozenConfig(BaseModel):
    """Immutable settings; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
