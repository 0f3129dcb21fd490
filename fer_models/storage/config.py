"""Configuration of the artifact store."""

from pydantic import Field, field_validator

from fer_models.base_config import FrozenConfig
from fer_models.errors import StoreError
from fer_models.redaction import has_credentials


class StoreConfig(FrozenConfig):
    """The artifact store."""

    url: str = Field(
        default=".ferflow/store",
        min_length=1,
        description="Folder, file:// URL or s3://bucket/prefix. The S3 endpoint and credentials "
        "come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )

    @field_validator("url")
    @classmethod
    def _has_no_credentials(cls, url: str) -> str:
        # Not a ValueError: pydantic would add the URL to the message.
        if has_credentials(url):
            raise StoreError(
                f"store {url}: expected a URL without user and password, which runs and reports "
                "would record; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and name "
                "s3://bucket/prefix"
            )
        return url
