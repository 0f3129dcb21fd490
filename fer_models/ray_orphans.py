"""What a dead process leaves behind of the Ray that it had started: processes and a folder.

Ray ends most of its processes with their driver at once. Two that its raylet had started (the
agents for the dashboard and for environments) first try to tell the dead cluster about it, for
about a minute. All of them carry a tag that names the driver, as does the folder of the session.
"""

import contextlib
import shutil
from pathlib import Path

from fer_models.processes import is_dead, process_tag

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

    ended = []
    for process in psutil.process_iter():
        # Other users' processes can't be looked into, and any may end meanwhile.
        with contextlib.suppress(psutil.Error):
            is_of_ray = any(
                part.startswith("ray::") or "/ray/" in part for part in process.cmdline()
            )
            if is_of_ray and is_dead(process.environ().get(OWNER_VARIABLE, "")):
                process.kill()
                ended.append(process.pid)
    for file in base.glob(f"{FOLDER_PREFIX}*/{_OWNER_FILE}"):
        with contextlib.suppress(OSError):
            if is_dead(file.read_text()):
                shutil.rmtree(file.parent, ignore_errors=True)
    return ended
