"""Settings of ingest."""

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.synthetic.config import SyntheticConfig

SYNTHETIC = "synthetic"


class DataConfig(FrozenConfig):
    """Where the images come from.

    Example:
        DataConfig(sources=("fer2013.csv", "fer2013new.csv"), quarantine_bad_rows=True)
    """

    sources: tuple[str, ...] = Field(
        default=(SYNTHETIC,),
        min_length=1,
        description="Files, folders and archives to join, in order, also in buckets (s3://...), or "
        "'synthetic'. Compressed files are fine; a.zip::member selects part of an archive. A FER+ "
        "vote file belongs to the FER2013 table named before it.",
    )
    synthetic: SyntheticConfig = Field(
        default=SyntheticConfig(), description="Used by the source 'synthetic' only."
    )
    quarantine_bad_rows: bool = Field(
        default=False,
        description="Quarantine rows and files that can't be read instead of rejecting the source.",
    )
