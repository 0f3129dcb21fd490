"""Objects of a bucket, with any key, for tests."""

import os
from collections.abc import Iterable, Mapping
from typing import Any


def _client() -> Any:
    from botocore.config import Config
    from botocore.session import Session

    return Session().create_client(
        "s3",
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        config=Config(s3={"addressing_style": "path"}),
    )


def _location(url: str, key: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, f"{prefix}/{key}" if key else prefix


def put_objects(url: str, contents: Mapping[str, bytes]) -> None:
    """Write objects below a URL; the key "" is the URL itself."""
    client = _client()
    try:
        for key, content in contents.items():
            bucket, full_key = _location(url, key)
            client.put_object(Bucket=bucket, Key=full_key, Body=content)
    finally:
        client.close()


def remove_objects(url: str, keys: Iterable[str]) -> None:
    client = _client()
    try:
        for key in keys:
            bucket, full_key = _location(url, key)
            client.delete_object(Bucket=bucket, Key=full_key)
    finally:
        client.close()
