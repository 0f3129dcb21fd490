"""Where Prefect keeps its data: beside the project's store, not in the user's home folder."""

import os
import shutil
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_models.lineage import package_version
from fer_models.private_folder import make_private
from fer_models.storage.store import ArtifactStore, default_cache_dir
from fer_models.user_input import user_path

HOME_VARIABLE = "PREFECT_HOME"
API_VARIABLE = "PREFECT_API_URL"
_PROFILES_VARIABLE = "PREFECT_PROFILES_PATH"
# Each has two names; a driver without an address is that of a database described by its parts.
_DATABASE_VARIABLES = tuple(
    f"PREFECT_{owner}_DATABASE_{setting}"
    for owner in ("SERVER", "API")
    for setting in ("CONNECTION_URL", "DRIVER")
)
_FOLDER = ".ferflow"
_DATABASE = "prefect.db"
_VERSION_FILE = "database-version"
# Nothing to migrate and no block type to register: the database is that of this version.
_READY_DATABASE = {
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


def use_project_home(store: ArtifactStore) -> Path:
    """Let Prefect keep its data in `.ferflow/prefect`, unless the user has chosen otherwise.

    Call it before prefect is imported. `PREFECT_HOME`, `PREFECT_API_URL` and a Prefect profile that
    names an API are respected.

    Returns:
        Prefect's folder; it need not exist yet.
    """
    if HOME_VARIABLE not in os.environ and not configured_api():
        os.environ[HOME_VARIABLE] = str(project_home(store))
    return user_path(os.environ.get(HOME_VARIABLE, "~/.prefect"))


def project_home(store: ArtifactStore) -> Path:
    """`prefect` beside a store in a folder `.ferflow`, else `.ferflow/prefect` below here."""
    if store.is_local and store.local_root.parent.name == _FOLDER:
        return store.local_root.parent / "prefect"
    return Path.cwd() / _FOLDER / "prefect"


def configured_api() -> str | None:
    """The API that the environment or the active Prefect profile names, or None."""
    if os.environ.get(API_VARIABLE):
        return os.environ[API_VARIABLE]
    try:
        profiles: dict[str, Any] = tomllib.loads(_profiles_path().read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    chosen = profiles.get("profiles", {}).get(active, {}).get(API_VARIABLE)
    return str(chosen) if chosen else None


def prepare_database(home: Path) -> dict[str, str]:
    """Put a migrated database into an empty home; the server's variables if none is to migrate.

    Migrating an empty database takes seconds, so the first one is kept as a template.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if _has_own_database():
        return {}
    template = _template()
    if not (home / _DATABASE).exists() and template.is_file():
        copy = home / f"{_DATABASE}.{os.getpid()}"
        shutil.copyfile(template, copy)
        copy.rename(home / _DATABASE)
        (home / _VERSION_FILE).write_text(_version())
    is_ready = (home / _DATABASE).exists() and _read(home / _VERSION_FILE) == _version()
    return dict(_READY_DATABASE) if is_ready else {}


def database_is_migrated(home: Path) -> None:
    """Note that a server of this version has migrated the database, and keep it as template."""
    if _has_own_database() or not (home / _DATABASE).exists():
        return
    (home / _VERSION_FILE).write_text(_version())
    template = _template()
    if template.is_file() or not _is_unused(home / _DATABASE):
        return
    with suppress(OSError):  # without a cache, the next first start takes longer
        make_private(template.parent)
        copy = template.with_suffix(f".{os.getpid()}")
        _backup(home / _DATABASE, copy)
        copy.rename(template)


def _profiles_path() -> Path:
    """Where Prefect looks for its profiles, by the variables of the environment."""
    if chosen := os.environ.get(_PROFILES_VARIABLE):
        return user_path(chosen)
    return user_path(os.environ.get(HOME_VARIABLE) or "~/.prefect") / "profiles.toml"


def _has_own_database() -> bool:
    """Whether the environment names another database than the file in Prefect's folder."""
    return any(os.environ.get(name) for name in _DATABASE_VARIABLES)


def _template() -> Path:
    return default_cache_dir() / "prefect" / f"{_version()}.db"


def _version() -> str:
    return f"prefect-{package_version('prefect')}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _is_unused(database: Path) -> bool:
    """Whether no flow has run: only an empty database becomes a template."""
    import sqlite3

    with sqlite3.connect(database) as connection:
        return not connection.execute("select 1 from flow_run limit 1").fetchall()


def _backup(database: Path, copy: Path) -> None:
    import sqlite3

    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
