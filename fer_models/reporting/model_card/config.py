"""What only the makers of a model know, for its card."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class ModelCardConfig(FrozenConfig):
    """Texts of the model card that ferflow can't know.

    Example:
        ModelCardConfig(license="cc-by-nc-4.0", data_terms="RAF-DB: non-commercial research only.")
    """

    license: str = Field(
        default="",
        description="Licence of the weights, as Hugging Face names it (apache-2.0, ...); empty: "
        "none is granted.",
    )
    intended_use: str = Field(
        default="", description="What the model was made for; empty: the general text."
    )
    data_terms: str = Field(
        default="", description="Terms of use of the training data; empty: a note to look them up."
    )
    contact: str = Field(default="", description="Where to send questions; empty: none is named.")
