"""Leave a record of every run in its store, for `ferflow runs`."""

from typing import TYPE_CHECKING, Any

from fer_models.errors import FerError
from fer_models.history.build import record_of
from fer_models.history.runs import record_run
from fer_models.storage.store import ArtifactStore
from flows.entry.names import data_of
from flows.entry.started import StartedRun, current_run

if TYPE_CHECKING:
    from fer_models.history.record import State


def record(
    run: StartedRun, result: Any = None, state: "State | None" = None, message: str = ""
) -> None:
    """Record how the run ended; a store that can't be written costs the record, not the run.

    Args:
        run: the run.
        result: what the flow returned.
        state: how it ended, unless the result says so.
        message: why it ended so.
    """
    prefect_run = current_run()
    if prefect_run is None:
        return
    store = ArtifactStore(run.config.store)
    try:
        record_run(
            store,
            record_of(
                store,
                run.config,
                result if result is not None else (),
                flow=run.flow_name,
                data=data_of(run.flow_name, run.config),
                trigger=_trigger(prefect_run.auto_scheduled, prefect_run.deployment_id),
                started_s=run.started.timestamp(),
                state=state or ("skipped" if run.is_idle else None),
                message=message or run.message,
                name=run.name,
                recipe=run.request.recipe,
                overrides=run.request.overrides,
                flow_run_id=str(prefect_run.id),
                run_id=run.id,
                steps=run.execution.steps,
            ),
        )
    except FerError as error:
        run.log(f"the run was not recorded: {error}")


def _trigger(is_scheduled: bool, deployment_id: object) -> str:
    if is_scheduled:
        return "schedule"
    return "manual" if deployment_id else "cli"
