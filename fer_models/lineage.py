"""Where an artifact comes from: data, code, packages and machine."""

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
    """What is needed to make an artifact again; plain JSON values.

    Args:
        snapshot_id: the data it was made from.
        seed: start of its random draws.

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
    """Sha256 over the library's .py files, paths and bytes (16 hex)."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def package_version(name: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def code_revision(checkout: Path | None = None) -> dict[str, Any]:
    """The git revision of the code, and whether tracked files were changed since.

    Args:
        checkout: the top folder of the checkout; by default the one that holds this library.

    Returns:
        `revision` (40 hex) and `dirty`, both None when `checkout` is not the top of a git
        checkout (a library installed into someone else's checkout is not that revision).
    """
    top = (checkout or Path(__file__).parents[1]).resolve()
    answer = _git(top, "rev-parse", "--show-toplevel", "HEAD")
    unknown = {"revision": None, "dirty": None}
    if answer is None:
        return unknown
    *_, toplevel, revision = ["", *answer.splitlines()]
    if Path(toplevel).resolve() != top:
        return unknown
    changes = _git(top, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "dirty": None if changes is None else bool(changes.strip())}


def _git(folder: Path, *arguments: str) -> str | None:
    # Optional locks would let a read-only question disturb the user's own git commands.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
