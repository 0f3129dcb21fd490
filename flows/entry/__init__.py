"""How a deployed flow begins and ends: short parameters, name, tags, training slot, final state."""

from flows.entry.decorator import entry_flow
from flows.entry.names import subflow_name
from flows.entry.parameters import forceable_run, prediction_run, short_run
from flows.entry.started import StartedRun

__all__ = [
    "StartedRun",
    "entry_flow",
    "forceable_run",
    "prediction_run",
    "short_run",
    "subflow_name",
]
