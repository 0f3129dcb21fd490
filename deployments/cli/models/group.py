"""`ferflow models`: stored models, the champion with its history, rollback and export."""

import click

from deployments.cli.latest import find_model
from deployments.cli.models.card import card
from deployments.cli.models.export import export
from deployments.cli.models.stored import list_models
from deployments.cli.networks.summary import hidden_summary
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import moment
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_classes_of
from fer_models.storage.champions import (
    all_champions,
    champion_alias,
    is_champion_alias,
    named_champion,
)
from fer_models.storage.registry import ANY_ENTRY, CHAMPION, Registry


@click.group(name="models")
def command() -> None:
    """List stored models; show the champion's history; roll back; export."""


@command.command()
@store_option
@reporting
def history(store_url: str | None) -> Produced:
    """Show all changes of the champion, oldest first."""
    store = open_store(store_url)
    entries = [entry for entry in Registry(store).history() if is_champion_alias(entry.alias)]
    current = {alias: entry.model_id for alias, entry in all_champions(store).items()}
    # With several class lists, each champion has its alias below it.
    names = {
        e.number: f"{e.model_id}\n{e.alias}" if len(current) > 1 else e.model_id for e in entries
    }
    rows = [[str(e.number), names[e.number], moment(e.time_s), e.reason] for e in entries]
    print_table(f"Champions of {store.url}", ["entry", "model", "since (UTC)", "reason"], rows)
    return {
        "champion": entries[-1].model_id if entries else None,
        "champions": current,
        "history": [entry.model_dump(mode="json") for entry in entries],
    }


@command.command()
@click.argument("model_id", required=False)
@store_option
@click.option("--reason", default="rolled back by hand", help="Recorded in the history.")
@reporting
def rollback(model_id: str | None, store_url: str | None, reason: str) -> Produced:
    """Make MODEL_ID, by default the previous champion, the champion again."""
    store = open_store(store_url)
    registry = Registry(store)
    model = find_model(store, model_id) if model_id else None
    if model is not None:
        alias = champion_alias(model_classes_of(store, model))
    else:
        latest = named_champion(store)
        alias = latest.alias if latest else CHAMPION
    current = registry.current(alias)
    if model is None and (current is None or current.previous_id is None):
        raise StoreError(f"{store.url}: there is no previous champion; name a MODEL_ID")
    if model is None:
        assert current is not None
        model = find_model(store, str(current.previous_id))
    # The previous champion depends on the current one; a given model replaces any.
    expected = current if model_id is None else ANY_ENTRY
    entry = registry.set(alias, model.id, reason, expected=expected)
    click.echo(f"{alias} is now {model.id} (entry {entry.number})")
    return {"champion": model.id, "entry": entry.number, "previous": entry.previous_id}


command.add_command(card)
command.add_command(export)
command.add_command(list_models)
command.add_command(hidden_summary)
