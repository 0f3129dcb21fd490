"""The outputs of earlier steps that a step takes: the latest ones, or those of one run."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from fer_models.errors import StoreError
from fer_models.history.outputs import output_ids, output_of
from fer_models.history.record import RunRecord
from fer_models.history.runs import find_run
from fer_models.storage.latest import recall, recall_if_any
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

F = TypeVar("F", bound=Callable[..., Any])
RefT = TypeVar("RefT", bound=ArtifactRef)


def run_option(function: F) -> F:
    """Add `--run`."""
    return click.option(
        "--run",
        "run_text",
        metavar="RUN",
        help="Use the results of this run: an id or its beginning, a name, latest, latest~1.  "
        "[default: the latest result of each step]",
    )(function)


class Outputs:
    """The outputs of the steps: those of `run`, or the latest ones if it is None."""

    def __init__(self, store: ArtifactStore, run_text: str | None = None) -> None:
        """Find the run, if one is named.

        Raises:
            StoreError: no run matches, or more than one does.
        """
        self.store = store
        self.run: RunRecord | None = find_run(store, run_text) if run_text else None

    def recall(self, step: str, ref_type: type[RefT]) -> RefT:
        """The output of `step`.

        Raises:
            StoreError: the step has not run (in this store, or in that run).
        """
        if self.run is None:
            return recall(self.store, step, ref_type)
        found = output_of(self.store, self.run, step, ref_type)
        if found is None:
            finished = ", ".join(output_ids(self.run.artifacts)) or "none"
            raise StoreError(
                f"run {self.run.id} ({self.run.state}) has no output of the step {step!r}; it has "
                f"those of: {finished}; choose another run (ferflow runs list)"
            )
        return found

    def recall_if_any(self, step: str, ref_type: type[RefT]) -> RefT | None:
        """The output of `step`, or None."""
        if self.run is None:
            return recall_if_any(self.store, step, ref_type)
        return output_of(self.store, self.run, step, ref_type)
