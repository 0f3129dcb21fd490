"""Folders that only this user can read and write: caches, checkpoints, temporary state."""

import os
from pathlib import Path

_MODE = 0o700
_OTHERS = 0o077


def make_private(folder: Path) -> Path:
    """Create a folder, and missing parents, with mode 0700; a folder of this user gets that mode.

    What is read from these folders is trusted (checkpoints, the state of a search), so a folder of
    somebody else is refused.

    Raises:
        PermissionError: it belongs to another user.
        OSError: it can't be created.
    """
    for missing in reversed([folder, *folder.parents]):
        missing.mkdir(mode=_MODE, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid():
        raise PermissionError(
            f"{folder} belongs to another user, who could change what is read from it; remove it, "
            "or choose another place (XDG_CACHE_HOME)"
        )
    if state.st_mode & _OTHERS:
        folder.chmod(_MODE)
    return folder
