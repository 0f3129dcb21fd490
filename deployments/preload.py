"""Libraries loaded while the first thing of a run is waited for: its temporary Prefect server.

The server takes seconds to start and computes on one core; Great Expectations, torch and Lightning
take as long to load and are needed right after it.
"""

import contextlib
import importlib
import threading
from collections.abc import Sequence

from fer_models.processes import num_cores

NEEDED_NEXT = ("great_expectations", "torch", "pytorch_lightning")


def preload_modules(names: Sequence[str] = NEEDED_NEXT) -> threading.Thread | None:
    """Import modules in the background; whoever imports one meanwhile waits for it, as always.

    Call it after the imports of the calling thread. One that can't be loaded is left to those who
    need it: they say what is wrong. Nothing is done on a single core, where it would only delay
    the server.
    """
    if num_cores() == 1:
        return None
    thread = threading.Thread(target=_load, args=(names,), name="load-ahead", daemon=True)
    thread.start()
    return thread


def _load(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
