"""`ferflow runs open`: the report of a run in a browser."""

import os
import sys
from collections.abc import Mapping

import click

from deployments.cli.latest import local_report
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from fer_models.errors import StoreError
from fer_models.storage.refs import RunRef

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


@click.command(name="open")
@click.argument("run", metavar="[RUN]", default="latest")
@store_option
@reporting
def open_report(run: str, store_url: str | None) -> Produced:
    """Open the report of RUN, by default the latest, in a browser; print where it is."""
    from fer_models.history.runs import find_run

    store = open_store(store_url)
    record = find_run(store, run)
    report = record.artifacts.report
    if report is None:
        raise StoreError(
            f"run {record.id} has no report ({record.state}: {record.message or 'no message'}); "
            "choose another one with `ferflow runs list`"
        )
    path = local_report(store, store.ref(RunRef, report, report_url=""))
    has_display = can_open(os.environ, sys.platform)
    if has_display:
        click.launch(str(path))
    click.echo(str(path))
    return {"run": record.id, "report": report, "file": str(path), "opened": has_display}


def can_open(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser can show a page: on Linux only with a display."""
    return not platform.startswith("linux") or any(environment.get(name) for name in _DISPLAYS)
