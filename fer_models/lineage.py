"""Lineage of an artifact: data, code, packages and machine."""

import functools
import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "torch",
    "timm",
    "pytorch-lightning",
    "ray",
    "numpy",
    "pandas",
    "scikit-learn",
    "great-expectations",
    "prefect",
    "wandb",
)
_GIT_TIMEOUT_S = 5.0


def lineage(snapshot_id: str, seed: int) -> dict[str, Any]:
    """Everything needed to reproduce an artifact, as JSON values.

    Args:
        snapshot_id: the input data.
        seed: seed of all random numbers.

    Returns:
        `dataset_sha`, `seed`, `code` (`revision`, `dirty`; None outside a git checkout),
        `ferflow`, `source_sha`, `packages` (version by name), `python` and `platform`.
    """
    return {
        "dataset_sha": snapshot_id,
        "seed": seed,
        "code": code_revision(),
        "ferflow": package_version("ferflow"),
        "source_sha": library_sha(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


@functools.cache
def library_sha() -> str:
    """Sha256 of the paths and bytes of the library's .py files (first 16 hex digits)."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


@functools.cache
def package_version(name: str) -> str | None:
    """The installed version of a distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def code_revision(checkout: Path | None = None) -> dict[str, Any]:
    """The git revision of the code, and whether tracked files have changed since.

    Args:
        checkout: the top folder of the checkout; by default that of this library.

    Returns:
        `revision` (40 hex digits) and `dirty`; both None if `checkout` is not the top of a git
        checkout (a library installed inside another checkout does not have its revision).
    """
    top = (checkout or Path(__file__).parents[1]).resolve()
    output = _git(top, "rev-parse", "--show-toplevel", "HEAD")
    unknown = {"revision": None, "dirty": None}
    if output is None:
        return unknown
    *_, toplevel, revision = ["", *output.splitlines()]
    if Path(toplevel).resolve() != top:
        return unknown
    changes = _git(top, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "dirty": None if changes is None else bool(changes.strip())}


def _git(folder: Path, *arguments: str) -> str | None:
    # Optional locks would let a read-only command disturb the user's own git commands.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        completed = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout
