"""A connection to one bucket of an S3-compatible object store; its errors say what to do.

The endpoint and credentials come from the usual AWS environment variables (AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from an AWS profile.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from fer_models.errors import StoreError
from fer_models.redaction import has_credentials
from fer_models.storage.s3.patience import waiting_for

# A dead endpoint is reported within the connection limit; later requests get more time.
_FIRST_REQUEST_LIMIT_S = 30.0
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3
# Small objects are downloaded side by side: each waits for the network, not for a core.
_MAX_CONNECTIONS = 50
_CLIENT_MODULES = ("aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs")


class S3Connection:
    """A bucket; the server is contacted with the first request.

    Args:
        bucket: its name.
        option: what named it, for messages: an option that every command with it has.
        store: the URL of the store in the bucket; "" if it is a source of data.
    """

    def __init__(self, bucket: str, option: str, store: str = "") -> None:
        self.bucket = bucket
        self._option = option
        self._subject = f"store {store}" if store else "the bucket"
        self._prefix = f"store {store}: " if store else ""
        self._connected: Any = None

    @property
    def fs(self) -> Any:
        """The s3fs file system; connected and checked once. Use it inside `errors()`."""
        if self._connected is None:
            self._check_endpoint()
            import fsspec

            filesystem = fsspec.filesystem(
                "s3",
                use_listings_cache=False,
                config_kwargs={
                    "connect_timeout": _CONNECT_TIMEOUT_S,
                    "read_timeout": _READ_TIMEOUT_S,
                    "max_pool_connections": _MAX_CONNECTIONS,
                    "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
                    "s3": {"addressing_style": "path"},
                },
            )
            # botocore retries already; s3fs would multiply the attempts, and the wait, by five.
            filesystem.retries = 1
            self._check_bucket(filesystem)
            filesystem.retries = 2
            self._connected = filesystem
        return self._connected

    @property
    def endpoint(self) -> str:
        """The URL of the server that is used."""
        with self.errors():
            return str(self.fs.s3.meta.endpoint_url)

    @contextmanager
    def errors(self, missing: str = "") -> Iterator[None]:
        """Raise a `StoreError` with a remedy for anything that the object store does wrong.

        Args:
            missing: what is read, for the message that it does not exist.
        """
        try:
            with waiting_for(_endpoint(), self._subject):
                yield
        except StoreError:
            raise
        except FileNotFoundError as error:
            raise StoreError(
                f"{missing or f'bucket {self.bucket}'}: not found; check {self._option} and the "
                "id, or run the step that creates it"
            ) from error
        except Exception as error:
            if not _is_storage_failure(error):
                raise
            raise StoreError(f"{self._subject} can't be used: {_remedy(error)}") from error

    def _check_endpoint(self) -> None:
        """Reject an endpoint that nothing answers at, before a client repeats it in its messages.

        Raises:
            StoreError: it has a user and password, which S3 does not use.
        """
        if has_credentials(_endpoint()):
            raise StoreError(
                f"{self._subject} can't be used: AWS_ENDPOINT_URL={_endpoint()} has a user or "
                "password, which S3 does not use; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL like http://127.0.0.1:9000"
            )

    def _check_bucket(self, filesystem: Any) -> None:
        """Request the bucket once, so that a problem is reported early and with its real cause."""
        try:
            filesystem.call_s3("head_bucket", Bucket=self.bucket, timeout=_FIRST_REQUEST_LIMIT_S)
        except FileNotFoundError as error:
            raise StoreError(
                f"{self._prefix}bucket {self.bucket!r} does not exist at {_endpoint()}; "
                f"create it (aws s3 mb s3://{self.bucket}) or correct {self._option}"
            ) from error
        except ValueError as error:
            raise StoreError(
                f"{self._subject} can't be used: {error}; expected AWS_ENDPOINT_URL like "
                "http://127.0.0.1:9000"
            ) from error


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3 (AWS_ENDPOINT_URL is not set)"


def _is_storage_failure(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in _CLIENT_MODULES


def _remedy(error: Exception) -> str:
    unreachable = (
        f"no answer from {_endpoint()}; start the object store or correct AWS_ENDPOINT_URL"
    )
    denied = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their rights on the bucket"
    hints = {
        "WRONG_VERSION_NUMBER": f"the server has no TLS; try AWS_ENDPOINT_URL={_other_scheme()}",
        "Credentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "PermissionError": denied,
        "EndpointConnection": unreachable,
        "ConnectTimeout": unreachable,
        "ReadTimeout": unreachable,
        "FSTimeout": unreachable,
        "ConnectionClosed": unreachable,
        # EBUSY: what s3fs makes of 503, SlowDown included.
        "[Errno 16]": (
            f"{_endpoint()} asks for fewer requests; run it again later, or ask its operator for a "
            "higher limit"
        ),
        "No space left": "free some disk space",
    }
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = next((hint for sign, hint in hints.items() if sign in text), "")
    if "EndpointConnection" in text and _accepts_connections(_endpoint()):
        hint = (
            f"something at {_endpoint()} takes connections but does not answer as an object store; "
            f"try AWS_ENDPOINT_URL={_other_scheme()}"
        )
    return f"{text}; {hint or f'see the log of {_endpoint()}'}"


def _other_scheme() -> str:
    """The endpoint with https in place of http, or the reverse."""
    scheme, separator, rest = _endpoint().partition("://")
    return f"{'http' if scheme == 'https' else 'https'}{separator}{rest}"


def _accepts_connections(endpoint: str) -> bool:
    """Whether something listens at an endpoint that is not encrypted."""
    address = urlsplit(endpoint)
    if address.scheme != "http" or not address.hostname:
        return False
    try:
        with socket.create_connection((address.hostname, address.port or 80), timeout=2):
            return True
    except (OSError, ValueError):
        return False
