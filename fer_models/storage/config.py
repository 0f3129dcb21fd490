"""Configuration of the artifact store."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class StoreConfig(FrozenConfig):
    """The artifact store."""

    url: str = Field(
        default=".ferflow/store",
        min_length=1,
        description="Folder, file:// URL or s3://bucket/prefix. The S3 endpoint and credentials "
        "come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )
