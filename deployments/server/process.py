"""Start and stop a Prefect server in a process of its own."""

import fcntl
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deployments.loopback import (
    AUTH_VARIABLE,
    LOOPBACK,
    LOOPBACK_NAMES,
    address_family,
    reachable,
)
from deployments.server.home import API_VARIABLE, database_is_migrated, prepare_database
from fer_models.errors import ConfigError, FerError
from fer_models.redaction import HIDDEN, without_credentials

_START_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 20.0
_HURRIED_STOP_TIMEOUT_S = 3.0
# A run that nobody can reach needs neither the UI nor the services of a lasting server.
_TEMPORARY = {"PREFECT_UI_ENABLED": "false", "PREFECT__SERVER_EPHEMERAL": "1"}


@dataclass
class ServerProcess:
    """A started server; its socket accepts connections at once and answers when it is up."""

    api_url: str
    process: "subprocess.Popen[bytes]"
    home: Path
    auth: str = ""
    stop_timeout_s: float = _STOP_TIMEOUT_S
    migration: IO[str] | None = None
    """Held open while this server migrates an empty database: a second server waits for that."""

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            FerError: it ended, or did not answer in time.
        """
        end = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise FerError(
                    f"the Prefect server exited with code {self.process.returncode} during "
                    "start-up; run the command with --verbose to see its output"
                )
            if answers(self.api_url, timeout_s=5):
                database_is_migrated(self.home)
                self._let_others_migrate()
                return
            time.sleep(0.05)
        raise FerError(
            f"the Prefect server did not answer at {self.api_url} within {_START_TIMEOUT_S:.0f} s"
        )

    def hurry(self) -> None:
        """Give the server little time to end: a person waits for it."""
        self.stop_timeout_s = _HURRIED_STOP_TIMEOUT_S

    def stop(self) -> None:
        """Let the server finish its requests and end."""
        if self.process.stdin is not None:
            self.process.stdin.close()  # it ends with its parent, or when the pipe does
        try:
            self.process.wait(timeout=self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._let_others_migrate()

    def _let_others_migrate(self) -> None:
        """Release the lock of `_alone`; a server that never answered has it until it is stopped."""
        if self.migration is not None:
            self.migration.close()


def start_temporary_server(home: Path, verbose: bool) -> ServerProcess:
    """Start a server for one command: on a free port of loopback, with a random password."""
    auth = f"ferflow:{secrets.token_urlsafe(24)}"
    listening = socket.create_server((LOOPBACK, 0))
    variables = {**_TEMPORARY, AUTH_VARIABLE: auth}
    return _start(listening, home, variables, LOOPBACK_NAMES, verbose, auth)


def start_lasting_server(
    home: Path, host: str, port: int, names: Sequence[str], verbose: bool
) -> ServerProcess:
    """Start a server with its UI: CSRF protection, and CORS for its own origin only.

    Args:
        home: Prefect's folder.
        host: address to bind.
        port: TCP port.
        names: what the Host header may be, without port.
        verbose: whether its output is shown.

    Raises:
        ConfigError: the port is used, or the address is not one of this machine.
    """
    try:
        listening = socket.create_server(
            (host, port),
            family=address_family(host),
            # "::" stands for all addresses of this machine, also the old ones.
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise ConfigError(
            f"port {port} of {host} can't be used ({error.strerror or error}); choose another "
            "--port, or stop the program that uses it"
        ) from error
    origins = ",".join(f"http://{name}:{port}" for name in names)
    variables = {
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    }
    return _start(listening, home, variables, names, verbose)


def answers(api_url: str, timeout_s: float = 3) -> bool:
    """Whether a healthy Prefect server answers; its health needs no password."""
    try:
        # urllib takes a password in the address for a part of the host's name.
        address = without_credentials(api_url).replace(f"{HIDDEN}@", "")
        with urllib.request.urlopen(f"{address}/health", timeout=timeout_s) as answer:  # noqa: S310
            return bool(answer.status == 200 and answer.read().strip() == b"true")
    except (urllib.error.URLError, OSError, ValueError):
        return False


def require_answer(api_url: str) -> None:
    """Reject a configured server that does not answer, before any work is done.

    Raises:
        ConfigError: no Prefect server answers.
    """
    if answers(api_url):
        return
    chosen = API_VARIABLE if os.environ.get(API_VARIABLE) else "the active Prefect profile"
    raise ConfigError(
        f"{API_VARIABLE}={api_url} (from {chosen}): no Prefect server "
        "answers; start it, correct the address, or unset it and ferflow starts one"
    )


def _start(
    listening: socket.socket,
    home: Path,
    variables: Mapping[str, str],
    names: Sequence[str],
    verbose: bool,
    auth: str = "",
) -> ServerProcess:
    port = listening.getsockname()[1]
    ready, migration = prepare_database(home), None
    if not ready:
        migration = _alone(home)
        ready = prepare_database(home)
    environment = {**os.environ, **ready, **variables}
    environment["PREFECT_HOME"] = str(home)
    environment.pop(API_VARIABLE, None)
    output = None if verbose else subprocess.DEVNULL
    fd = listening.fileno()
    # A separate session: Ctrl-C must stop the served runs before the server.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "deployments.server.app", str(fd), *names],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=[fd],
        start_new_session=True,
    )
    host = listening.getsockname()[0]
    listening.close()
    return ServerProcess(
        f"http://{reachable(host)}:{port}/api", process, home, auth, migration=migration
    )


def _alone(home: Path) -> IO[str]:
    """Wait until no other server migrates the database; two at once would fail."""
    file = (home / "migration.lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
