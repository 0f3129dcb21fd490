"""What a dead process leaves behind of the Ray that it had started: processes and a folder.

Ray ends most of its processes with their driver at once. Two that its raylet had started (the
agents for the dashboard and for environments) first try to tell the dead cluster about it, for
about a minute. The folder of the session names its driver, and so does the environment of its
processes; those two overwrite theirs with a title, but keep their logs in the folder open.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fer_models.processes import is_dead, process_tag

if TYPE_CHECKING:
    import psutil

OWNER_VARIABLE = "FERFLOW_RAY_OWNER"
FOLDER_PREFIX = "ray-"
_OWNER_FILE = "owner"


def mark_folder(folder: Path) -> None:
    """Write down that this process owns a folder of Ray."""
    (folder / _OWNER_FILE).write_text(process_tag())


def sweep_orphans(base: Path) -> list[int]:
    """End Ray processes of dead drivers of this host, and remove their folders below `base`.

    Returns:
        Numbers of the processes that were ended.
    """
    import psutil

    folders = list(_dead_folders(base))
    ended = []
    for process in psutil.process_iter():
        # Other users' processes can't be looked into, and any may end meanwhile.
        with contextlib.suppress(psutil.Error):
            if _is_of_ray(process) and (
                is_dead(process.environ().get(OWNER_VARIABLE, "")) or _logs_to(process, folders)
            ):
                process.kill()
                ended.append(process.pid)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return ended


def _dead_folders(base: Path) -> Iterator[Path]:
    for file in base.resolve().glob(f"{FOLDER_PREFIX}*/{_OWNER_FILE}"):
        with contextlib.suppress(OSError):
            if is_dead(file.read_text()):
                yield file.parent


def _is_of_ray(process: "psutil.Process") -> bool:
    return any(part.startswith("ray::") or "/ray/" in part for part in process.cmdline())


def _logs_to(process: "psutil.Process", folders: list[Path]) -> bool:
    opened = [Path(file.path) for file in process.open_files()] if folders else []
    return any(path.is_relative_to(folder) for path in opened for folder in folders)
