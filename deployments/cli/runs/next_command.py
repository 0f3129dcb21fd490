"""The command that a finished run proposes next."""

import shlex
import shutil
import sys
from pathlib import Path

from flows.request import DEFAULT_RECIPE, RunRequest


def next_command(request: RunRequest, store_url: str | None) -> str:
    """What to run after a run: the demonstration on real images, or `ferflow up` with its options.

    Args:
        request: of the run.
        store_url: the value of `--store`; None if it was not given.

    Example:
        next_command(request, None)  # "ferflow up --recipe folder --data /faces   (Prefect UI ...)"
    """
    program = _program()
    options = request.model_copy(update={"store": store_url or ""}).options()
    is_demo = request.recipe == DEFAULT_RECIPE
    served = shlex.join(["up", *(options[2:] if is_demo else options)])
    if is_demo and not request.data:
        store = f" --store {shlex.quote(store_url)}" if store_url else ""
        again = f"run --data fer2013.csv --recipe fer2013{store}"
        return f"{program} {again}   (or {program} {served}, for the UI)"
    return f"{program} {served}   (Prefect UI and scheduled retraining)"


def _program() -> str:
    """The command to run ferflow: its name if it is on the PATH, else its file."""
    if shutil.which("ferflow"):
        return "ferflow"
    script = Path(sys.executable).parent / "ferflow"
    is_below = script.is_relative_to(Path.cwd())
    return str(script.relative_to(Path.cwd())) if is_below else shlex.quote(str(script))
