"""The folder that a bundle is written to."""

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from fer_models.bundles.facts import (
    FACTS_SUFFIX,
    NAME_PATTERN,
    WEIGHTS_SUFFIX,
    BundleFacts,
    EnsembleFacts,
    WeightsFile,
)
from fer_models.combination.stored import joint_sha256
from fer_models.errors import StoreError


def check_name(name: str) -> None:
    """Reject a name that is not that of a bundle.

    Raises:
        StoreError: it is none.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise StoreError(
            f"expected a bundle name of a-z, 0-9, '.', '_' and '-', got {name!r}; change --name"
        )


def check_folder(folder: Path) -> None:
    """Reject a path that can't be a folder.

    Raises:
        StoreError: it can't.
    """
    try:
        existing_paths = (path for path in (folder, *folder.absolute().parents) if path.exists())
        nearest = next(existing_paths, folder)
        is_folder = nearest.is_dir()
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not is_folder:
        raise StoreError(f"{folder}: expected a folder, {nearest} is a file; choose another one")


def weights_files(
    folder: Path, name: str, weights: Sequence[bytes], *, is_ensemble: bool
) -> tuple[list[WeightsFile], str]:
    """The files for the weights of a bundle's networks, and the sha256 that stands for all of them.

    Weights of an ensemble that are in the folder already, in another bundle, keep their file.

    Raises:
        StoreError: the folder can't be read, or a bundle of that name has other weights.
    """
    sha256s = [hashlib.sha256(content).hexdigest() for content in weights]
    joint = joint_sha256(sha256s) if is_ensemble else sha256s[0]
    names = [f"{name}-{number}" for number in range(1, len(weights) + 1)] if is_ensemble else [name]
    try:
        found = _sha256_of_files(folder, {len(content) for content in weights})
        others = {sha256: file for file, sha256 in found.items()} if is_ensemble else {}
        files = [
            WeightsFile(name=others.get(sha256, f"{one}{WEIGHTS_SUFFIX}"), sha256=sha256)
            for one, sha256 in zip(names, sha256s, strict=True)
        ]
        taken = [
            file.name
            for file in files
            if (folder / file.name).exists() and found.get(file.name) != file.sha256
        ]
        recorded = _recorded_sha256(folder / f"{name}{FACTS_SUFFIX}")
    except OSError as error:
        raise _unwritable(folder, error) from error
    if recorded not in (None, joint):
        taken.append(f"{name}{FACTS_SUFFIX}")
    if taken:
        raise StoreError(
            f"{folder / taken[0]}: a bundle of that name with other weights exists; choose another "
            "--name, or remove the old bundle first"
        )
    return files, joint


def write_files(
    folder: Path, name: str, weights: dict[str, bytes], facts: BundleFacts | EnsembleFacts
) -> None:
    """Write the weights first, unless they are there; each file is written atomically.

    Args:
        folder: is created if necessary.
        name: of the bundle.
        weights: by the names that `weights_files` chose: what is there has this content.
        facts: the metadata, which replaces earlier ones.

    Raises:
        StoreError: the folder can't be written.
    """
    text = facts.model_dump_json(indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in weights.items():
            if not (folder / file).exists():
                _replace(folder / file, content)
        _replace(folder / f"{name}{FACTS_SUFFIX}", text.encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _sha256_of_files(folder: Path, sizes: set[int]) -> dict[str, str]:
    """The sha256 of the folder's weights of these sizes, by the name of the file."""
    files = sorted(folder.glob(f"*{WEIGHTS_SUFFIX}")) if folder.is_dir() else []
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in reversed(files)
        if file.stat().st_size in sizes
    }


def _recorded_sha256(facts_file: Path) -> str | None:
    """The sha256 of the weights of the bundle that is there; None without a readable one."""
    if not facts_file.exists():
        return None
    try:
        return str(json.loads(facts_file.read_bytes())["weights_sha256"])
    except (ValueError, TypeError, KeyError):
        return None


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{folder}: can't write the bundle ({error.strerror}); choose another folder")


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
