"""What this machine is called by its own browsers, and the password that others need."""

import os

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost", "[::1]")
AUTH_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"


def configured_auth() -> str | None:
    """`user:password` of the environment: of the Prefect server, and of the page server."""
    return os.environ.get(AUTH_VARIABLE) or None
