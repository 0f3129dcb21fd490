"""Find the key of wandb's server where wandb itself looks for it, without importing wandb.

In this order: `WANDB_API_KEY` or `WANDB_IDENTITY_TOKEN_FILE`; the netrc file (`NETRC`, `~/.netrc`,
`~/_netrc`) by the host of the server; `api_key` in wandb's settings files. The server is
`WANDB_BASE_URL`, else `base_url` of the settings files, else wandb's own.
"""

import configparser
import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fer_models.user_input import user_path

# The public server has been reachable under several names; wandb reads the entries of all.
_PUBLIC_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com", "forge.coreweave.com")
_DEFAULT_HOST = _PUBLIC_HOSTS[0]
_VARIABLES = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
_SECTION = "default"


def key_source() -> str:
    """Where a key for the server was found, such as `WANDB_API_KEY`; "" if there is none."""
    for variable in _VARIABLES:
        if os.environ.get(variable):
            return variable
    path = _netrc_path()
    if _has_entry(path):
        return str(path)
    return "wandb's settings" if wandb_settings().get("api_key") else ""


def server_host() -> str:
    """The host of the server, with the port if the URL has one."""
    url = os.environ.get("WANDB_BASE_URL") or wandb_settings().get("base_url", "")
    return urlsplit(url).netloc or _DEFAULT_HOST


def wandb_settings() -> Mapping[str, str]:
    """The settings in wandb's files: those of the working folder before those of the user."""
    found: dict[str, str] = {}
    for path in _settings_paths():
        parser = configparser.ConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, configparser.Error):
            continue  # wandb reports it, and treats it as empty
        if parser.has_section(_SECTION):
            found.update(parser.items(_SECTION))
    return found


def _settings_paths() -> tuple[Path, Path]:
    folder = os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    root = Path(os.environ.get("WANDB_DIR") or ".")
    own = ".wandb" if (root / ".wandb").exists() else "wandb"
    return user_path(folder) / "settings", root / own / "settings"


def _netrc_path() -> Path:
    if named := os.environ.get("NETRC"):
        return user_path(named)
    unix, windows = user_path("~/.netrc"), user_path("~/_netrc")
    return windows if windows.exists() and not unix.exists() else unix


def _has_entry(path: Path) -> bool:
    try:
        entries = netrc.netrc(path)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return False
    host = server_host()
    hosts = _PUBLIC_HOSTS if host in _PUBLIC_HOSTS else (host,)
    found = [entries.authenticators(one) for one in hosts]
    return any(entry is not None and bool(entry[2]) for entry in found)
