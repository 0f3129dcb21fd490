"""`ferflow models history`: which model was the champion, when, and why."""

import click

from deployments.cli.models.texts import entry_facts
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import NOTHING, moment
from fer_models.storage.champions import all_champions, is_champion_alias
from fer_models.storage.registry import Registry, RegistryEntry


@click.command()
@store_option
@reporting
def history(store_url: str | None) -> Produced:
    """Show all changes of the champion, oldest first: from which model to which, and why."""
    store = open_store(store_url)
    entries = [entry for entry in Registry(store).history() if is_champion_alias(entry.alias)]
    current = {alias: entry.model_id for alias, entry in all_champions(store).items()}
    rows = [_row(entry, with_alias=len(current) > 1) for entry in entries]
    print_table(f"Champions of {store.url}", ["entry: from, to", "since (UTC)", "why"], rows)
    if not entries:
        click.echo("no champion yet: promote one with `ferflow run`, or check --store")
    return {
        "champion": entries[-1].model_id if entries else None,
        "champions": current,
        "history": [entry_facts(entry) for entry in entries],
    }


def _row(entry: RegistryEntry, *, with_alias: bool) -> list[str]:
    """The ids in the first column, which never breaks lines; several champions by their alias."""
    models = f"{entry.number:<3} {entry.previous_id or NOTHING}\n  → {entry.model_id}"
    by = entry.details.get("by")
    return [
        f"{models}\n    {entry.alias}" if with_alias else models,
        moment(entry.time_s).replace(" ", "\n"),
        f"{entry.reason}\nby {by}" if by else entry.reason,
    ]
