"""The training slot of the current flow run."""

from pathlib import Path

from prefect.settings import PREFECT_HOME

from flows.entry.waiting import WaitingState
from tasks.server import is_server_temporary
from tasks.slot.training_slot import TrainingSlot


def slot_of_this_run() -> TrainingSlot:
    """A slot on the Prefect server, or, for a temporary server, a lock in Prefect's folder."""
    lock_file = Path(PREFECT_HOME.value()) / "training.lock"
    return TrainingSlot(lock_file if is_server_temporary() else None, WaitingState())
