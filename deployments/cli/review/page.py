"""`ferflow review`: write the page for decisions about single images, or for unlabelled ones."""

import datetime as dt
import shlex
from pathlib import Path
from typing import get_args

import click

from deployments.cli.latest import find_snapshot
from deployments.cli.options import open_store, refuse, store_option, without_effect
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import Outputs, run_option
from deployments.cli.review.unlabelled import write_unlabelled
from deployments.cli.task.step import snapshot_option
from fer_models.output_file import HTML_SUFFIXES, check_output
from fer_models.review.config import DEFAULT_LIMIT
from fer_models.selection.config import DEFAULT_COUNT, Measure
from fer_models.storage.latest import recall_if_any
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_OF_PAGE = ("out", "open_it")
_OF_STORED = ("snapshot_id", "run_text", "limit")
_OF_UNLABELLED = ("unlabelled", "model", "count", "by", "label_studio", "local_files")


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
@click.option(
    "--unlabelled",
    multiple=True,
    metavar="PATH",
    help="Label new faces instead: pictures of single faces, folders, s3://..., or "
    "predictions:7d; repeatable.",
)
@click.option(
    "--model",
    default="champion",
    show_default=True,
    help="With --unlabelled: the model that is unsure of the faces.",
)
@click.option(
    "--count",
    default=DEFAULT_COUNT,
    show_default=True,
    type=click.IntRange(1, 5000),
    help="With --unlabelled: faces to choose.",
)
@click.option(
    "--by",
    default="auto",
    show_default=True,
    type=click.Choice(get_args(Measure)),
    help="With --unlabelled: what makes the model unsure.",
)
@click.option(
    "--label-studio",
    "label_studio",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --unlabelled: write tasks for Label Studio there, instead of the page.",
)
@click.option(
    "--local-files",
    metavar="ROOT",
    help="With --label-studio: refer to the pictures below Label Studio's document root, instead "
    "of embedding the faces.",
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
    unlabelled: tuple[str, ...],
    model: str,
    count: int,
    by: str,
    label_studio: Path | None,
    local_files: str | None,
    open_it: bool,
    history: bool,
    store_url: str | None,
) -> Produced:
    """Write a page on which a person keeps, drops or relabels images.

    One HTML file that needs no network. It shows the images that cleaning quarantined, and the kept
    images with the lowest label quality. The page saves a decisions file; apply it with
    `ferflow task clean --decisions FILE`. Later runs apply it, too.

    With --unlabelled, it shows the new faces that a model is least sure of, to be labelled; apply
    the file with `ferflow task ingest --decisions FILE`, or `ferflow run --decisions FILE`.

    \b
    ferflow task clean && ferflow review --open
    ferflow task clean --decisions decisions-0123456789ab.csv
    ferflow review --history
    ferflow review --unlabelled /data/incoming --count 100 --open
    ferflow task ingest --data fer2013.csv --decisions decisions-0123456789ab.csv
    """  # noqa: D301 - click's marker for preformatted text
    refuse(_problems(snapshot_id, bool(unlabelled), label_studio, history))
    store = open_store(store_url)
    if history:
        return _history(store)
    if unlabelled:
        settings = {"count": count, "by": by}
        facts = write_unlabelled(
            store, unlabelled, model, settings, out, store_url, label_studio, local_files
        )
        if open_it:
            click.launch(facts["path"])
        return facts
    target = check_output(out, HTML_SUFFIXES)
    outputs = Outputs(store, run_text)
    snapshot = (
        find_snapshot(store, snapshot_id) if snapshot_id else outputs.recall("clean", SnapshotRef)
    )
    from fer_models.review.page import CLEAN_COMMAND, write_review_page

    clean = shlex.join([*CLEAN_COMMAND.split(), *_clean_options(store, snapshot, store_url)])
    with progress_display():
        facts = write_review_page(store, snapshot, target, limit, clean)
    if open_it:
        click.launch(facts["path"])
    _show(facts, clean)
    return facts


def _problems(
    snapshot_id: str | None, unlabelled: bool, label_studio: Path | None, history: bool
) -> list[str]:
    """What is wrong with the combination of options."""
    if history:
        advice = "--history only lists the versions of decisions; omit one of them"
        return without_effect(_OF_PAGE + _OF_STORED + _OF_UNLABELLED, advice)
    if not unlabelled:
        problems = without_effect(
            _OF_UNLABELLED, "only with --unlabelled PATH; name the faces, or omit the option"
        )
        if snapshot_id is not None:
            problems += without_effect(["run_text"], "--snapshot names the images; pass only one")
        return problems
    problems = without_effect(
        _OF_STORED, "for the images of a snapshot, not with --unlabelled; omit one of them"
    )
    if label_studio is None:
        problems += without_effect(
            ["local_files"], "only with --label-studio DIR; name the folder, or omit the option"
        )
    else:
        advice = "--label-studio writes tasks instead of the page; omit one of them"
        problems += without_effect(_OF_PAGE, advice)
    return problems


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
