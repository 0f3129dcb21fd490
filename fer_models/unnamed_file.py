"""A file without a name: nothing is left behind, however the process ends."""

import os
import tempfile
import weakref
from pathlib import Path

_DEFAULT_MODE = 0o666  # less the umask, as of any new file


class UnnamedFile:
    """A new, empty file in a folder, which vanishes with this object unless it gets a name.

    Example:
        file = UnnamedFile(Path("/data"))
        os.write(file.fileno(), b"all of it")
        if not file.link(Path("/data/whole")):
            ...  # this file system can't; copy it
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Create it.

        Args:
            folder: where, or in the closest folder above while it does not exist. If files without
                names are not supported there, it is created in the system's temporary folder.

        Raises:
            OSError: it can't be created.
        """
        self._fd = _opened(folder or Path(tempfile.gettempdir()))
        weakref.finalize(self, os.close, self._fd)

    def fileno(self) -> int:
        """The descriptor; this object owns it."""
        return self._fd

    def link(self, path: Path) -> bool:
        """Name it; False if it can't be named there: another file system, or not on Linux.

        Raises:
            FileExistsError: the name is taken.
        """
        try:
            # A folder's descriptor, though the path is absolute: without one, the link itself,
            # not the file that it leads to, would be named.
            os.link(f"/proc/self/fd/{self._fd}", path, src_dir_fd=self._fd)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            return False
        return True


def _opened(folder: Path) -> int:
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR, _DEFAULT_MODE)
        except FileNotFoundError:
            return _opened(folder.parent)
        except OSError:
            pass  # not supported there, or no access
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
