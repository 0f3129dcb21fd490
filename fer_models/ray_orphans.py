"""Clean up after dead Ray drivers: orphaned processes and session folders.

When a driver dies, Ray ends most of its processes at once. Two agents that the raylet has started
(dashboard and runtime environments) first try to reach the dead cluster for about a minute. A
marker in the session folder identifies the driver, and so does the environment of its processes;
those two agents overwrite theirs with a title, but keep their logs in the folder open.
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
    """Mark a Ray session folder as owned by this process."""
    (folder / _OWNER_FILE).write_text(process_tag())


def sweep_orphans(base: Path) -> list[int]:
    """Kill Ray processes of dead drivers of this host, and remove their folders below `base`.

    Returns:
        Ids of the killed processes.
    """
    import psutil

    folders = list(_dead_folders(base))
    killed = []
    for process in psutil.process_iter():
        # Other users' processes can't be inspected, and any process may end meanwhile.
        with contextlib.suppress(psutil.Error):
            if _is_ray_process(process) and (
                is_dead(process.environ().get(OWNER_VARIABLE, "")) or _has_log_in(process, folders)
            ):
                process.kill()
                killed.append(process.pid)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return killed


def _dead_folders(base: Path) -> Iterator[Path]:
    for file in base.resolve().glob(f"{FOLDER_PREFIX}*/{_OWNER_FILE}"):
        with contextlib.suppress(OSError):
            if is_dead(file.read_text()):
                yield file.parent


def _is_ray_process(process: "psutil.Process") -> bool:
    return any(part.startswith("ray::") or "/ray/" in part for part in process.cmdline())


def _has_log_in(process: "psutil.Process", folders: list[Path]) -> bool:
    opened = [Path(file.path) for file in process.open_files()] if folders else []
    return any(path.is_relative_to(folder) for path in opened for folder in folders)
