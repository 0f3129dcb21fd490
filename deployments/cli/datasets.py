"""`ferflow datasets`: the dataset snapshots of a store."""

from typing import TYPE_CHECKING

import click

from deployments.cli.latest import find_snapshot
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import (
    NOTHING,
    count_text,
    moment,
    rejected_facts,
    short_id,
    warn,
)
from fer_models.storage.refs import SnapshotRef

if TYPE_CHECKING:
    from fer_models.history.stored import StoredDataset


@click.group(name="datasets")
def command() -> None:
    """List and show the dataset snapshots of a store.

    Ingest, cleaning and splitting each make a snapshot of their own.
    """


@command.command(name="list")
@store_option
@reporting
def list_command(store_url: str | None) -> Produced:
    """List the snapshots, the newest first, with what used them."""
    from fer_models.history.stored import stored_datasets

    store = open_store(store_url)
    datasets, warnings = stored_datasets(store)
    warn(warnings)
    columns = ["dataset", "step, from", "images, kept", "kept by split", "used by", "since (UTC)"]
    print_table(f"Datasets in {store.url}", columns, [_row(dataset) for dataset in datasets])
    if not datasets:
        click.echo("no datasets yet: make one with `ferflow run`, or check --store")
    found = [dataset.model_dump(mode="json") for dataset in datasets]
    return {"datasets": found, "warnings": warnings}


@command.command()
@click.argument("dataset_id", metavar="ID")
@store_option
@reporting
def show(dataset_id: str, store_url: str | None) -> Produced:
    """Show the snapshot whose id starts with ID: counts, quarantine, what it was used for."""
    from fer_models.history.stored import stored_datasets

    store = open_store(store_url)
    wanted = find_snapshot(store, dataset_id).id
    datasets, warnings = stored_datasets(store)
    warn(warnings)
    dataset = next((one for one in datasets if one.id == wanted), None)
    if dataset is None:  # damaged: say what is wrong with it
        store.describe(store.ref(SnapshotRef, wanted))
    assert dataset is not None
    _show(dataset, [one.id for one in datasets if one.parent == wanted])
    return dataset.model_dump(mode="json")


def _row(dataset: "StoredDataset") -> list[str]:
    day, _, time = moment(dataset.made_s).partition(" ")
    return [
        short_id(dataset.id),
        f"{dataset.step}\n{short_id(dataset.parent)}",
        f"{dataset.images:,}\n{dataset.kept:,}",
        _pairs(dataset.splits, "\n"),
        f"{count_text(len(dataset.runs), 'run')}\n{count_text(len(dataset.models), 'model')}",
        f"{day}\n{time}",
    ]


def _show(dataset: "StoredDataset", children: list[str]) -> None:
    rows = [[name, f"{count:,}"] for name, count in dataset.classes.items()]
    print_table("Kept images by class", ["class", "images"], rows)
    if dataset.reasons:
        reasons = [
            [name.replace("_", " "), f"{count:,}"] for name, count in dataset.reasons.items()
        ]
        print_table("Quarantine", ["reason", "images"], reasons)
    print_facts(
        {
            "dataset": dataset.id,
            "step": dataset.step,
            "derived from": dataset.parent or NOTHING,
            "source of": ", ".join(children) or NOTHING,
            "images": f"{dataset.images:,} ({dataset.kept:,} kept)",
            **rejected_facts(dataset.rejected),
            "splits": _pairs(dataset.splits, ", "),
            "since (UTC)": moment(dataset.made_s),
            "runs": ", ".join(dataset.runs) or NOTHING,
            "models": ", ".join(dataset.models) or NOTHING,
        }
    )


def _pairs(counts: dict[str, int], separator: str) -> str:
    return separator.join(f"{name} {count:,}" for name, count in counts.items()) or NOTHING
