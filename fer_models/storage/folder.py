"""Folder backend: artifacts in a local folder or on a mounted file system."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.storage.backend import (
    REPAIR,
    Buffers,
    FileEntry,
    StoredObject,
    damaged_message,
    matches,
    sha256_of_file,
)
from fer_models.user_input import user_path

_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}")
_ATTEMPTS = 3
# Error codes of file systems without hard links (FAT, some network mounts).
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class FolderBackend:
    """Objects are files; each is written to a temporary file and renamed atomically."""

    def __init__(self, folder: str) -> None:
        """Use `folder` (`~` is expanded); the first write creates it.

        Raises:
            StoreError: no folder is named, or the home of an unknown user.
        """
        root = user_path(folder)
        if not folder or (root.parts[:1] and root.parts[0].startswith("~")):
            problem = "the home of an unknown user" if folder else "no folder"
            raise StoreError(
                f"store {folder!r}: expected a folder, got {problem}; name one (--store), "
                "such as .ferflow/store or file:///data/ferflow"
            )
        self.root = root.absolute()
        self.url = f"file://{self.root.as_posix().rstrip('/')}"
        self._made: set[Path] = set()

    def size(self, key: str) -> int | None:
        """See `Backend`."""
        path = self.root / key
        with self._store_errors():
            return path.stat().st_size if path.is_file() else None

    def read(self, key: str) -> bytes:
        """See `Backend`."""
        with self._store_errors(key):
            return (self.root / key).read_bytes()

    def sha256(self, key: str) -> str:
        """See `Backend`."""
        with self._store_errors(key):
            return sha256_of_file(self.root / key)

    def write(self, key: str, data: bytes) -> None:
        """See `Backend`."""
        with self._store_errors():
            self._temporary(key, data).replace(self.root / key)

    def upload(self, key: str, content: Path | Buffers) -> None:
        """See `Backend`."""
        with self._store_errors():
            self._temporary(key, content).replace(self.root / key)

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend`. Exactly one of several racing creators wins, even across processes."""
        with self._store_errors():
            temporary = self._temporary(key, data)
            try:
                os.link(temporary, self.root / key)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                return self._create_in_place(key, data)
            finally:
                temporary.unlink()
            return True

    def keys(self, prefix: str) -> list[str]:
        """See `Backend`. Files that are still being written are not listed."""
        return sorted(self._paths(prefix))

    def listing(self, prefix: str) -> dict[str, StoredObject]:
        """See `Backend`."""
        return self._facts(self._paths(prefix))

    def abandoned(self) -> dict[str, StoredObject]:
        """See `Backend`: temporary files."""
        return self._facts(self._paths("", temporary=True))

    def remove_abandoned(self, name: str) -> None:
        """See `Backend`."""
        with suppress(FileNotFoundError), self._store_errors():
            (self.root / name).unlink(missing_ok=True)
            self._remove_empty((self.root / name).parent)

    def remove(self, key: str) -> None:
        """See `Backend`. The object's folders are removed too if they are then empty."""
        with self._store_errors(key):
            (self.root / key).unlink()
        with self._store_errors():
            self._remove_empty((self.root / key).parent)

    def remove_folder(self, key: str) -> None:
        """See `Backend`. Folders that this object made are removed too if they are then empty."""
        with self._store_errors(), suppress(FileNotFoundError):
            shutil.rmtree(self.root / key)
            self._remove_empty((self.root / key).parent, only_made=True)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """See `Backend`."""
        from pyarrow.fs import LocalFileSystem

        return str(self.root / key), LocalFileSystem()

    def local_path(self, entry: FileEntry) -> Path:
        """See `Backend`: the object itself."""
        path = self.root / entry.key
        if not path.is_file():
            raise StoreError(f"{self.url}/{entry.key}: the file is missing; {REPAIR}")
        with self._store_errors(entry.key):
            intact = matches(path, entry)
        if not intact:
            raise StoreError(damaged_message(self.url, entry))
        return path

    def _paths(self, prefix: str, *, temporary: bool = False) -> dict[str, Path]:
        with self._store_errors():
            found = [path for path in (self.root / prefix).rglob("*") if path.is_file()]
        return {
            path.relative_to(self.root).as_posix(): path
            for path in found
            if (_TEMPORARY.fullmatch(path.name) if temporary else not path.name.startswith("."))
        }

    def _facts(self, paths: dict[str, Path]) -> dict[str, StoredObject]:
        found = {}
        for key, path in paths.items():
            with self._store_errors(), suppress(FileNotFoundError):  # removed meanwhile
                status = path.stat()
                found[key] = StoredObject(status.st_size, status.st_mtime)
        return found

    def _remove_empty(self, folder: Path, *, only_made: bool = False) -> None:
        """Remove a folder and those above it while they are empty.

        Those at the top, the root and what is above it only if this object made them: a command
        that fails leaves no store behind that was not there before.
        """
        while folder in self._made or not (only_made or self._is_top(folder)):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise
                return
            folder = folder.parent

    def _is_top(self, folder: Path) -> bool:
        return folder == self.root or folder.parent == self.root or folder in self.root.parents

    def _temporary(self, key: str, content: Path | bytes | Buffers) -> Path:
        temporary = self._reserved(self.root / key)
        try:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            elif isinstance(content, Buffers) and self._taken_over(content, temporary):
                pass
            elif isinstance(content, Buffers):
                with temporary.open("wb") as stream:
                    content.write_to(stream)
            else:
                shutil.copyfile(content, temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    @staticmethod
    def _taken_over(content: Buffers, temporary: Path) -> bool:
        """Whether the content's own file is the temporary one now."""
        linked = temporary.with_name(f".{uuid.uuid4().hex}")
        if content.file is None or not content.file.link(linked):
            return False
        linked.replace(temporary)
        return True

    def _reserved(self, target: Path) -> Path:
        """An empty temporary file beside a target; whoever removes empty folders spares its one."""
        temporary = target.with_name(f".{uuid.uuid4().hex}")
        for attempt in range(_ATTEMPTS):
            self._made.update(takewhile(lambda folder: not folder.exists(), target.parents))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.touch()
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
        return temporary

    def _create_in_place(self, key: str, data: bytes) -> bool:
        try:
            with (self.root / key).open("xb") as stream:
                stream.write(data)
        except FileExistsError:
            return False
        return True

    @contextmanager
    def _store_errors(self, read_key: str = "") -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if not read_key:
                raise StoreError(f"store {self.url} can't be used: {_remedy(error)}") from error
            raise StoreError(
                f"{self.url}/{read_key}: not found; check --store and the id, "
                "or run the step that creates it"
            ) from error
        except OSError as error:
            raise StoreError(f"store {self.url} can't be used: {_remedy(error)}") from error


def _remedy(error: OSError) -> str:
    hints = {
        errno.EACCES: "give this user write access, or choose another --store",
        errno.EPERM: "give this user write access, or choose another --store",
        errno.EROFS: "the file system is read-only; choose another --store",
        errno.ENOENT: "the folder can't be created; choose another --store",
        errno.ENOTDIR: "a file exists where a folder is needed; choose another --store",
        errno.EEXIST: "a file exists where a folder is needed; choose another --store",
        errno.EISDIR: "a folder exists where a file is needed; choose another --store",
        errno.ENOSPC: "free some disk space, or choose another --store",
        errno.EDQUOT: "free some disk space, or choose another --store",
        errno.ENAMETOOLONG: "choose a shorter --store path",
    }
    hint = hints.get(error.errno or 0, "check the folder, its permissions and the free space")
    return f"{type(error).__name__}: {error}; {hint}"
