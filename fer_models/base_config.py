"""The base of every configuration model: frozen, and unknown keys are refused."""

from pydantic import BaseModel, ConfigDict


class FrozenConfig(BaseModel):
    """Immutable settings; a misspelt key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
