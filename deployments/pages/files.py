"""What of a store is served: files that a browser shows, by kind, id and name of an artifact.

Only names in an `artifact.json` are served, and only through `ArtifactStore`, which verifies their
sha256. So a request can name no path of the file system.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ARTIFACT_KINDS, ArtifactRef
from fer_models.storage.store import ARTIFACT_FILE, Artifact, ArtifactStore

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Content type by suffix; other files are not served."""
MAIN_PAGES = {
    "runs": "report.html",
    "explorations": "report.html",
    "validations": "report.html",
    "reviews": "review.html",
}
"""The page of an artifact by the folder of its kind; other artifacts have a list of files."""
_KINDS = {kind.folder: kind for kind in ARTIFACT_KINDS}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class NotServedError(Exception):
    """The address leads to nothing that is served; the message says why."""


@dataclass(frozen=True)
class ServedFile:
    """The verified content of a file."""

    data: bytes
    content_type: str
    sha256: str


class Files:
    """The served files of one store. Descriptions of artifacts never change and are kept.

    Example:
        files = Files(ArtifactStore(StoreConfig(url="/data/ferflow")))
        files.read("runs", run.id, "report.html").data
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self._known: dict[tuple[str, str], Artifact] = {}

    def artifact(self, folder: str, artifact_id: str) -> Artifact:
        """The description of an artifact.

        Raises:
            NotServedError: there is no such kind or artifact.
            StoreError: the store can't be read.
        """
        key = (folder, artifact_id)
        if key not in self._known:
            ref = self._ref(folder, artifact_id)
            if not self.store.exists(ref):
                raise NotServedError(f"{self.store.url} has no artifact {folder}/{artifact_id}.")
            self._known[key] = self.store.describe(ref)
        return self._known[key]

    def read(self, folder: str, artifact_id: str, name: str) -> ServedFile:
        """A file of an artifact, with verified sha256.

        Raises:
            NotServedError: there is no such file, or a browser can't show it.
            StoreError: the file is damaged, or the store can't be read.
        """
        artifact = self.artifact(folder, artifact_id)
        if name == ARTIFACT_FILE:
            data = json_bytes(artifact.model_dump())
            return ServedFile(data, CONTENT_TYPES[".json"], hashlib.sha256(data).hexdigest())
        entry = artifact.files.get(name)
        if entry is None:
            raise NotServedError(f"The artifact {folder}/{artifact_id} has no such file.")
        if not is_shown(name):
            raise NotServedError(
                f"Weights and datasets are not served: read {name} from the store, "
                f"{self.store.url}/{entry.key}."
            )
        data = self.store.read_file(self._ref(folder, artifact_id), name)
        return ServedFile(data, CONTENT_TYPES[PurePosixPath(name).suffix], entry.sha256)

    def times(self, folder: str) -> dict[str, float]:
        """When each artifact of a kind was written, in seconds since 1970, by id.

        Raises:
            NotServedError: there is no such kind.
            StoreError: the store can't be read.
        """
        return self.store.written_times(kind_of(folder))

    def _ref(self, folder: str, artifact_id: str) -> ArtifactRef:
        kind = kind_of(folder)
        if not _ID.fullmatch(artifact_id):
            raise NotServedError(f"An id in {folder} has letters, digits, '.', '_' and '-' only.")
        # The kind's own fields are not in the address, and reading needs none of them.
        return kind.model_construct(id=artifact_id, url=self.store.artifact_url(kind, artifact_id))


def is_shown(name: str) -> bool:
    """Whether a browser can show a file of that name."""
    return PurePosixPath(name).suffix in CONTENT_TYPES


def kind_of(folder: str) -> type[ArtifactRef]:
    """The kind of artifacts in a folder of the store.

    Raises:
        NotServedError: there is no such kind.
    """
    if folder not in _KINDS:
        raise NotServedError(f"Expected one of {', '.join(_KINDS)}.")
    return _KINDS[folder]
