"""Settings of the inference server: batches, limits, the token."""

import os
import re
from pathlib import Path

from pydantic import Field

from deployments.loopback import LOOPBACK, is_loopback
from fer_models.base_config import FrozenConfig
from fer_models.errors import ConfigError
from fer_models.faces.found import FacesMode
from fer_models.faces.settings import DEFAULT_FACES, SHORTEST_FACE_PX

TOKEN_VARIABLE = "FERFLOW_SERVE_TOKEN"  # noqa: S105 - the name of a variable
DEFAULT_PORT = 4202
_MEGA = 1_000_000
_TOKEN = re.compile(r"[\x21-\x7e]{16,500}")


class ServingConfig(FrozenConfig):
    """How requests are batched and limited."""

    faces: FacesMode = "auto"
    """What pictures show, where a request does not say."""
    min_face_px: int = Field(DEFAULT_FACES.min_size_px, ge=SHORTEST_FACE_PX)
    """Smallest face to find in a photo: the longer side of its box, in pixels."""
    batch_pictures: int = Field(32, ge=1, le=1024)
    """Most pictures of concurrent requests that are predicted together."""
    batch_wait_ms: float = Field(5.0, ge=0, le=1000)
    """How long a batch waits for further requests, in milliseconds."""
    max_pictures: int = Field(64, ge=1, le=10_000)
    """Most pictures of a request."""
    max_body_mb: float = Field(32.0, gt=0, le=2000)
    """Largest body of a request, in megabytes."""
    max_megapixels: float = Field(40.0, gt=0, le=80)
    """Largest picture, in millions of pixels."""
    max_waiting: int = Field(512, ge=1, le=100_000)
    """Most pictures that wait for the model; beyond, requests are answered with 503."""
    max_memory_mb: float = Field(512.0, gt=0)
    """Most megabytes of bodies that are held at once; beyond, 503. At least one body fits."""
    timeout_s: float = Field(60.0, gt=0, le=3600)
    """Longest time to receive a body, and to wait for its predictions, in seconds."""
    rate_per_s: float = Field(0.0, ge=0, le=100_000)
    """Requests with pictures a second that one client may send, in bursts of up to two seconds'
    worth; 0 for any number."""
    poll_s: float = Field(2.0, gt=0, le=3600)
    """How often the registry is asked for a new champion, in seconds."""

    @property
    def max_body_bytes(self) -> int:
        """`max_body_mb` in bytes."""
        return int(self.max_body_mb * _MEGA)

    @property
    def max_memory_bytes(self) -> int:
        """`max_memory_mb` in bytes; one body always fits."""
        return max(int(self.max_memory_mb * _MEGA), self.max_body_bytes)

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels."""
        return int(self.max_megapixels * _MEGA)


def read_token(token_file: Path | None) -> str | None:
    """The token of a file or of the environment; None for no authentication.

    Raises:
        ConfigError: the file can't be read, or the token is too short to be a secret.
    """
    if token_file is None:
        given, where = os.environ.get(TOKEN_VARIABLE) or None, TOKEN_VARIABLE
    else:
        where = f"--token-file {token_file}"
        try:
            given = token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise ConfigError(f"{where}: can't read it ({reason}); name a readable file") from error
    if given is not None and not _TOKEN.fullmatch(given):
        raise ConfigError(
            f"{where}: expected a token of 16 to 500 printable ASCII characters without blanks, "
            f"got {len(given)} characters; make one with `openssl rand -hex 24`"
        )
    return given


def check_reach(host: str, token: str | None) -> None:
    """Check that a server beyond this machine asks for a token.

    Raises:
        ConfigError: a host beyond loopback without a token.
    """
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"--host {host}: other machines could use the model; set a token with "
            f"{TOKEN_VARIABLE}=... or --token-file FILE, or use --host {LOOPBACK}"
        )
