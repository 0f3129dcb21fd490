"""`ferflow review`: a page on which a person decides about single images."""

import datetime as dt
import shlex
from pathlib import Path

import click

from deployments.cli.latest import find_snapshot, recall, recall_if_any
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.task.step import snapshot_option
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore


@click.command(name="review")
@snapshot_option
@click.option(
    "--out",
    default="review.html",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page to write.",
)
@click.option(
    "--limit",
    default=500,
    show_default=True,
    type=click.IntRange(min=0),
    help="Kept images to show beside those in quarantine, the worst labels first.",
)
@click.option("--open", "open_it", is_flag=True, help="Show the page in the browser.")
@click.option("--history", is_flag=True, help="List the versions of decisions instead.")
@store_option
@reporting
def command(
    snapshot_id: str | None,
    out: Path,
    limit: int,
    open_it: bool,
    history: bool,
    store_url: str | None,
) -> Produced:
    """Write a page on which a person keeps, drops or relabels doubtful images.

    One HTML file that needs no network: what cleaning put in quarantine by judgement, and the kept
    images whose labels fit worst. The page saves a decisions file; apply it with
    `ferflow task clean --decisions FILE`. Later runs honour it, too.

    \b
    ferflow task clean && ferflow review --open
    ferflow task clean --decisions decisions-0123456789ab.csv
    ferflow review --history
    """  # noqa: D301 - click's mark for text that keeps its lines
    store = open_store(store_url)
    if history:
        return _history(store)
    snapshot = (
        find_snapshot(store, snapshot_id) if snapshot_id else recall(store, "clean", SnapshotRef)
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
    """What leads `ferflow task clean` to the images of this snapshot, from any folder."""
    options = ["--store", store.url] if store_url else []
    raw, latest = _raw(store, snapshot), recall_if_any(store, "ingest", SnapshotRef)
    if latest is None or raw.id != latest.id:
        options += ["--snapshot", raw.id[:12]]
    return options


def _raw(store: ArtifactStore, snapshot: SnapshotRef) -> SnapshotRef:
    """The snapshot that this one was made from by cleaning and splitting."""
    info = store.info(snapshot)
    if info.get("step") == "ingest" or not info.get("parent"):
        return snapshot
    return _raw(store, find_snapshot(store, info["parent"]))


def _show(facts: Produced, clean: str) -> None:
    from fer_models.review.page import saved_name

    name = saved_name(facts["snapshot"])
    rows = [[reason.replace("_", " "), str(count)] for reason, count in facts["counts"].items()]
    print_table("To decide about", ["reason", "images"], rows)
    version = facts["decisions_version"]
    in_force = f", version {version} of the decisions in force" if version else ""
    print_facts(
        {
            "snapshot": facts["snapshot"],
            "decided": f"{facts['decided']} of {facts['images']}{in_force}",
            "page": f"{facts['path']} ({facts['bytes'] / 1e6:.1f} MB)",
            "next": f"open it, decide, save, then {clean} --decisions {name}",
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
