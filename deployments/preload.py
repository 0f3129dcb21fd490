"""Import heavy libraries in the background while a run waits for its temporary Prefect server.

The server takes seconds to start and uses one core. Great Expectations, torch and Lightning take as
long to import and are needed right after it.
"""

import contextlib
import importlib
import threading
from collections.abc import Sequence

from fer_models.processes import num_cores

HEAVY_MODULES = ("great_expectations", "torch", "pytorch_lightning")


def preload_modules(names: Sequence[str] = HEAVY_MODULES) -> threading.Thread | None:
    """Import modules in a background thread; importing one of them meanwhile waits as usual.

    Call it after the imports of the calling thread. A module that can't be imported is skipped; the
    code that needs it reports the error. On a single core nothing is preloaded, because that would
    only delay the server. Returns the thread, or None.
    """
    if num_cores() == 1:
        return None
    thread = threading.Thread(target=_load, args=(names,), name="preload", daemon=True)
    thread.start()
    return thread


def _load(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
