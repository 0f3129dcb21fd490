"""The description of an artifact: its files with size and sha256, and whether they are there."""

from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_models.storage.backend import Backend, FileEntry

ARTIFACT_FILE = "artifact.json"


class Artifact(BaseModel):
    """The content of `artifact.json`: the files by name, and metadata."""

    model_config = ConfigDict(frozen=True)
    id: str
    files: dict[str, FileEntry]
    info: dict[str, Any]


def artifact_faults(backend: Backend, prefix: str, *, deep: bool) -> list[str]:
    """What is wrong with the artifact below a prefix; empty if it is whole.

    Args:
        backend: the storage.
        prefix: `<folder>/<id>`.
        deep: whether the bytes of its files are read and compared, too.

    Raises:
        StoreError: the storage can't be reached.
    """
    key = f"{prefix}/{ARTIFACT_FILE}"
    if backend.size(key) is None:
        return [f"{ARTIFACT_FILE} is missing"]
    try:
        artifact = Artifact.model_validate_json(backend.read(key))
    except ValueError:
        return [f"{ARTIFACT_FILE} is no description of an artifact"]
    found = [_file_fault(backend, name, file, deep) for name, file in artifact.files.items()]
    return [fault for fault in found if fault]


def describes(folder: str, key: str) -> bool:
    """Whether `key` is the `artifact.json` of an artifact in that folder."""
    path, depth = PurePosixPath(key), len(PurePosixPath(folder).parts) + 2
    return path.name == ARTIFACT_FILE and len(path.parts) == depth


def artifact_id_of(key: str) -> str:
    """The id of the artifact that a key below it belongs to."""
    return PurePosixPath(key).parts[-2]


def _file_fault(backend: Backend, name: str, file: FileEntry, deep: bool) -> str:
    size = backend.size(file.key)
    if size is None:
        return f"{name} is missing"
    if size != file.size:
        return f"{name} has {size} bytes, expected {file.size}"
    if deep and backend.sha256(file.key) != file.sha256:
        return f"{name} has other bytes than were written"
    return ""
