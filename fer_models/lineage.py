"""Lineage of an artifact: data, code, packages and machine."""

import functools
import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_models.processes import num_cores

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
        `ferflow`, `source_sha`, `packages` (version by name), `python`, `platform` and `machine`.
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
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """`processor` (name), usable `cores`, and `gpus` (names), without loading torch.

    Example:
        machine()  # {"processor": "AMD EPYC 7763", "cores": 2, "gpus": ["NVIDIA H100 80GB HBM3"]}
    """
    return {"processor": _processor(), "cores": num_cores(), "gpus": _gpus()}


def machine_text(facts: Mapping[str, Any]) -> str:
    """A machine in words, such as `2 cores, AMD EPYC 7763, NVIDIA H100 80GB HBM3`."""
    cores = facts.get("cores")
    parts = [f"{cores} core{'s' if cores != 1 else ''}" if cores else ""]
    parts += [str(facts.get("processor") or ""), *map(str, facts.get("gpus") or ())]
    return ", ".join(part for part in parts if part)


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


def _processor() -> str:
    """The processor's name on Linux, its architecture elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpus() -> list[str]:
    """Names of NVIDIA's GPUs on Linux, as their driver lists them."""
    folder = Path("/proc/driver/nvidia/gpus")
    names = []
    for path in sorted(folder.glob("*/information")):
        text = path.read_text("utf-8", errors="replace")
        names += [line.partition(":")[2].strip() for line in text.splitlines() if "Model:" in line]
    return names
