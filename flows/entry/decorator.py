"""The decorator of deployed flows: short parameters in, a run with its configuration inside."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow, flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed

from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import running_in
from flows.checks import FLOWS_WITHOUT_DATA, checked
from flows.entry.cancelled import cancel_below
from flows.entry.late import newer_scheduled_run
from flows.entry.parameters import documented
from flows.entry.parent import end_with_parent
from flows.entry.recording import record
from flows.entry.slot import slot_of_this_run
from flows.entry.started import StartedRun, current_run
from flows.entry.states import SKIPPED_STATE
from flows.request import request_of
from tasks.execution import executing
from tasks.slot.training_slot import training_slot

P = ParamSpec("P")
R = TypeVar("R")


def entry_flow(
    name: str, parameters: Callable[P, None], *, makes_artifacts: bool = True
) -> Callable[[Callable[[StartedRun], R]], Flow[P, R]]:
    """Make a function of a `StartedRun` a flow with short parameters.

    The parameters are resolved and checked in one place; the run is named and tagged; of several
    late scheduled runs only the newest does anything; trainings of different runs take turns; the
    final state tells whether a model was promoted.

    Args:
        name: name of the flow and of its deployment.
        parameters: `short_run`, `forceable_run` or `prediction_run`; its signature is the flow's.
        makes_artifacts: whether the run is recorded in the store, and marked there as running.

    Example:
        @entry_flow("prepare-data", short_run)
        def prepare_data(run: StartedRun) -> PreparedData:
            return prepare(run.config)

        prepare_data(recipe="fer2013", data=("fer2013.csv",))
    """
    signature = inspect.signature(parameters)

    def decorate(body: Callable[[StartedRun], R]) -> Flow[P, R]:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            end_with_parent()
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            request = request_of(given.arguments)
            forced = bool(given.arguments.get("force", False))
            config = checked(request, reads_data=name not in FLOWS_WITHOUT_DATA)
            started = StartedRun(name, request, config, forced)
            started.announce()
            newer = newer_scheduled_run(current_run())
            if newer is not None:
                why = f"The later scheduled run {newer} is due, too, and does the same."
                if makes_artifacts:
                    record(started, state="skipped", message=why)
                return Completed(name=SKIPPED_STATE, message=why)
            slot = training_slot(slot_of_this_run())
            steps = executing(started.execution)
            in_store = _in_store(started) if makes_artifacts else nullcontext()
            with in_store, slot, _only_own_heartbeat(), steps:
                result = body(started)
            if makes_artifacts:
                record(started, result)
            return started.final_state(result) or result

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = dict(parameters.__annotations__)
        run.__doc__ = f"{body.__doc__}\n\n{documented(parameters)}"
        return cast("Flow[P, R]", flow(name=name, on_cancellation=[cancel_below])(run))

    return decorate


@contextmanager
def _in_store(started: StartedRun) -> Iterator[None]:
    """What the run uses is not collected meanwhile, and it leaves a record even if it fails."""
    store = ArtifactStore(started.config.store)
    with _recorded_if_it_fails(started), running_in(store, started.id):
        yield


@contextmanager
def _recorded_if_it_fails(started: StartedRun) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        record(started, state="failed", message=str(error))
        raise
    except BaseException:  # Ctrl-C, or a cancellation
        record(started, state="cancelled", message="The run was stopped.")
        raise


def _only_own_heartbeat() -> AbstractContextManager[object]:
    """Let called flows send no heartbeats: each would wait a second for its last one."""
    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
