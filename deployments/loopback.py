"""Servers of this machine: their names, who can reach them, the password that others need."""

import ipaddress
import os
import re
import socket
from collections.abc import Iterable

from fer_models.errors import ConfigError

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost", "[::1]")
AUTH_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
HOSTS_VARIABLE = "FERFLOW_HOSTS"
# With underscores, which container networks have in names.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII | re.IGNORECASE)
_LONGEST_NAME = 253


def configured_auth() -> str | None:
    """`user:password` of the environment: of the Prefect server, and of the page server."""
    return os.environ.get(AUTH_VARIABLE) or None


def configured_names() -> tuple[str, ...]:
    """Further names of this machine, from `FERFLOW_HOSTS=a.example,b.example`."""
    names = os.environ.get(HOSTS_VARIABLE, "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def accepted_names(host: str) -> tuple[str, ...]:
    """What browsers may call a server that is bound to `host`, without ports.

    Any other name is rejected: a page elsewhere could point its own name at the server (DNS
    rebinding). Beyond loopback, the names of the machine are among them.
    """
    machine = () if is_loopback(host) else (socket.gethostname(), socket.getfqdn())
    names = (*LOOPBACK_NAMES, in_url(host), *machine, *configured_names())
    return tuple(dict.fromkeys(name.lower() for name in names if name))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_exposure(host: str, auth: str | None, risk: str) -> None:
    """Check that a server beyond this machine asks for a password.

    Args:
        host: the address that it binds.
        auth: `user:password`; None for no authentication.
        risk: what others could do without a password, for the message.

    Raises:
        ConfigError: a host beyond loopback without authentication, or a malformed `auth`.
    """
    if auth is not None:
        user, _, password = auth.partition(":")
        if not user or not password:
            raise ConfigError(f"{AUTH_VARIABLE}: expected user:password, such as admin:secret")
    elif not is_loopback(host):
        raise ConfigError(
            f"--host {host}: {risk}; set a password with {AUTH_VARIABLE}=user:password, or use "
            f"--host {LOOPBACK}"
        )


def check_names(names: Iterable[str]) -> None:
    """Check that a Host header can have each of these names (`--name`).

    Raises:
        ConfigError: lists all names that are no host names.
    """
    wrong = [name for name in names if not _is_host_name(name)]
    if wrong:
        raise ConfigError(
            "--name: expected host names such as fer.example.org (ASCII, without scheme, port and "
            f"path; IPv6 addresses in brackets), got {', '.join(map(repr, wrong))}; correct them"
        )


def _is_host_name(name: str) -> bool:
    if name.startswith("[") and name.endswith("]"):
        try:
            return bool(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            return False
    labels = name.removesuffix(".").split(".")
    return len(name) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, labels))


def requested_name(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The name in the Host header of a request (ASGI headers); "" unless there is exactly one."""
    hosts = [value for name, value in headers if name.lower() == b"host"]
    return host_name(hosts[0].decode("latin-1")) if len(hosts) == 1 else ""


def host_name(host: str) -> str:
    """The name in a Host header, without the port; an IPv6 address keeps its brackets."""
    name, separator, port = host.lower().rpartition(":")
    return name if separator and (port.isdigit() or not port) else host.lower()


def in_url(host: str) -> str:
    """An address as URLs and Host headers have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def reachable(host: str) -> str:
    """A name under which this machine reaches a server that is bound to `host`."""
    try:
        is_any = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_any = False
    return LOOPBACK if is_any else in_url(host)


def browser_name(host: str, names: Iterable[str]) -> str:
    """The host name in links to a server: the first that was given, or that of its address."""
    elsewhere = () if is_loopback(host) else configured_names()
    return next(iter((*names, *elsewhere)), reachable(host))


def address_family(host: str) -> socket.AddressFamily:
    """The family of sockets that are bound to `host`."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
