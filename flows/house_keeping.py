"""House-keeping: report, or delete, what nothing in the store needs any more."""

from typing import Any

from flows.entry import StartedRun, entry_flow, short_run
from tasks.house_keeping import house_keeping as collect_or_report


@entry_flow("house-keeping", short_run, makes_artifacts=False)
def house_keeping(run: StartedRun) -> dict[str, Any]:
    """Report what nothing in the store needs any more; with retention.delete, delete it.

    Raises:
        StoreError: another collection is running, or the store can't be used.

    Example:
        found = house_keeping(store="s3://bucket/prefix", overrides=("retention.keep_days=7",))
        found["bytes"]  # that nothing needs
    """
    return collect_or_report(run.config.retention, run.config.store)
