"""`ferflow review`: write the page for decisions about single images."""

import datetime as dt
import shlex
from pathlib import Path

import click

from deployments.cli.latest import find_snapshot
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import Outputs, run_option
from deployments.cli.task.step import snapshot_option
from fer_models.review.config import DEFAULT_LIMIT
from fer_models.storage.latest import recall_if_any
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore


@click.command(name="review")
@snapshot_option
@run_option
@click.option(
    "--out",
    default="review.html",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write.",
)
@click.option(
    "--limit",
    default=DEFAULT_LIMIT,
    show_default=True,
    type=click.IntRange(min=0),
    help="Maximum number of kept images to show, lowest label quality first.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
@click.option("--history", is_flag=True, help="List the versions of decisions instead.")
@store_option
@reporting
def command(
    snapshot_id: str | None,
    run_text: str | None,
    out: Path,
    limit: int,
    open_it: bool,
    history: bool,
    store_url: str | None,
) -> Produced:
    """Write a page on which a person keeps, drops or relabels images.

    One HTML file that needs no network. It shows the images that cleaning quarantined, and the kept
    images with the lowest label quality. The page saves a decisions file; apply it with
    `ferflow task clean --decisions FILE`. Later runs apply it, too.

    \b
    ferflow task clean && ferflow review --open
    ferflow task clean --decisions decisions-0123456789ab.csv
    ferflow review --history
    """  # noqa: D301 - click's marker for preformatted text
    store = open_store(store_url)
    if history:
        return _history(store)
    outputs = Outputs(store, run_text)
    snapshot = (
        find_snapshot(store, snapshot_id) if snapshot_id else outputs.recall("clean", SnapshotRef)
    )
    from fer_models.review.page import CLEAN_COMMAND, write_review_page

    clean = shlex.join([*CLEAN_COMMAND.split(), *_clean_options(store, snapshot, store_url)])
    with progress_display():
        facts = write_review_page(store, snapshot, out, limit, clean)
    if open_it:
        click.launch(facts["path"])
    _show(facts, clean)
    return facts


def _clean_options(store: ArtifactStore, snapshot: SnapshotRef, store_url: str | None) -> list[str]:
    """Options that make `ferflow task clean` clean the images of this snapshot."""
    options = ["--store", store.url] if store_url else []
    raw, latest = _raw(store, snapshot), recall_if_any(store, "ingest", SnapshotRef)
    if latest is None or raw.id != latest.id:
        options += ["--snapshot", raw.id[:12]]
    return options


def _raw(store: ArtifactStore, snapshot: SnapshotRef) -> SnapshotRef:
    """The ingested snapshot that this one was derived from."""
    info = store.info(snapshot)
    if info.get("step") == "ingest" or not info.get("parent"):
        return snapshot
    return _raw(store, find_snapshot(store, info["parent"]))


def _show(facts: Produced, clean: str) -> None:
    from fer_models.review.page import saved_name

    name = saved_name(facts["snapshot"])
    rows = [[reason.replace("_", " "), str(count)] for reason, count in facts["counts"].items()]
    print_table("Images to review", ["reason", "images"], rows)
    version = facts["decisions_version"]
    in_force = f" (version {version} of the decisions in force)" if version else ""
    print_facts(
        {
            "snapshot": facts["snapshot"],
            "decided": f"{facts['decided']} of {facts['images']}{in_force}",
            "page": f"{facts['path']} ({facts['bytes'] / 1e6:.1f} MB)",
            "next": f"open the page, decide, save, then run {clean} --decisions {name}",
        }
    )


def _history(store: ArtifactStore) -> Produced:
    from fer_models.review.decisions import decisions_history

    entries = decisions_history(store)
    rows = [
        [
            str(entry.number),
            f"{dt.datetime.fromtimestamp(entry.time_s, tz=dt.UTC):%Y-%m-%d %H:%M}",
            *(str(entry.counts.get(action, 0)) for action in ("keep", "drop", "relabel")),
            f"+{entry.added} ~{entry.changed} -{entry.withdrawn}",
        ]
        for entry in entries
    ]
    columns = ["version", "since (UTC)", "keep", "drop", "relabel", "new, changed, withdrawn"]
    print_table(f"Decisions in {store.url}", columns, rows)
    return {
        "version": entries[-1].number if entries else None,
        "history": [entry.model_dump(mode="json") for entry in entries],
    }
