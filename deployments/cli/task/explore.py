"""`ferflow task explore`."""

from typing import Any

import click

from deployments.cli.options import config_options
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.step import Step, snapshot_option
from fer_models.storage.latest import remember
from fer_models.storage.refs import SnapshotRef

_STEPS = ("split", "clean", "ingest")


@click.command()
@config_options
@snapshot_option
@run_option
@reporting
def explore(snapshot_id: str | None, **options: Any) -> Produced:
    """Explore a snapshot: figures, plots and faces.

    By default the latest one: split, else cleaned, else raw.
    """
    step = Step(options)
    from fer_models.exploration.explore import SUMMARY_FILE
    from tasks.explore import class_rows, main_figures
    from tasks.explore import explore as stage

    finished = [name for name in _STEPS if step.recall_if_any(name, SnapshotRef)]
    snapshot = step.snapshot(snapshot_id, finished[0] if finished else _STEPS[-1])
    with progress_display():
        exploration = stage.fn(snapshot, step.config.store)
    remember(step.store, "explore", exploration)
    summary = step.store.read_json(exploration, SUMMARY_FILE)
    rows = class_rows(summary)
    print_table("Classes", list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    print_facts({**main_figures(summary), "report": exploration.report_url})
    return {
        "exploration": exploration.id,
        "snapshot": snapshot.id,
        "url": exploration.url,
        "report_url": exploration.report_url,
        **step.store.info(exploration),
    }
