"""The `ferflow` command, also as `python -m deployments`."""

import atexit
import os
import sys
from contextlib import suppress

from deployments.cli import main


class _QuickExit:
    """Ends the process without Python's own end, in which it dissolves its libraries.

    That takes seconds. It also stops threads that are still at work, such as the one that imports
    torch ahead of a run, and a thread that is in C++ code at that moment aborts the process.
    """

    def __init__(self) -> None:
        """Create it before all else that is done at exit: what is registered first runs last."""
        self._code: int | None = None
        atexit.register(self._leave)

    def with_code(self, code: int) -> None:
        """End with this exit code, after all else that is to be done at exit."""
        self._code = code

    def _leave(self) -> None:
        if self._code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(self._code)


def run() -> None:
    """Run the command that this process was started for, and end the process."""
    at_exit = _QuickExit()
    try:
        main(prog_name="ferflow")
    except SystemExit as end:
        if isinstance(end.code, int):
            at_exit.with_code(end.code)
        raise


if __name__ == "__main__":
    run()
