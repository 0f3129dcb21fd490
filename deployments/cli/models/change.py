"""`ferflow models promote` and `rollback`: a person changes the champion."""

import click

from deployments.cli.models.texts import changed_facts
from deployments.cli.options import open_store, refuse, store_option, without_effect
from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from fer_models.inference.open_model import find_model
from fer_models.storage.registry import CHAMPION, RegistryEntry

reason_option = click.option(
    # Not `required`: with --json, click's own error would leave stdout empty.
    "--reason",
    default="",
    metavar="TEXT",
    help="Why; kept in the history with your name.  [required]",
)


@click.command()
@click.argument("model_id")
@reason_option
@store_option
@reporting
def promote(model_id: str, reason: str, store_url: str | None) -> Produced:
    """Make MODEL_ID the champion of its classes by hand, whatever the gate says.

    `ferflow task promote --model ID` asks the gate instead.
    """
    from fer_models.promotion.by_hand import current_user, promote_by_hand

    store = open_store(store_url)
    return _say(promote_by_hand(store, find_model(store, model_id), reason, current_user()))


@click.command()
@click.option(
    "--to",
    type=click.IntRange(min=1),
    metavar="ENTRY",
    help="Number of the entry in `ferflow models history` whose model comes back.  "
    "[default: the champion before]",
)
@click.option(
    "--champion",
    "alias",
    default=CHAMPION,
    metavar="ALIAS",
    help="Which champion, if the store has several class lists.",
)
@reason_option
@store_option
@reporting
def rollback(to: int | None, alias: str, reason: str, store_url: str | None) -> Produced:
    """Make an earlier champion the champion again, as one more entry of the history.

    \b
    ferflow models rollback --reason "wrong for dark faces"
    ferflow models rollback --to 3 --reason "the last one of May"
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    if to is not None:
        refuse(without_effect(["alias"], "the entry of --to says which champion; omit it"))
    from fer_models.promotion.by_hand import current_user, roll_back

    return _say(roll_back(open_store(store_url), reason, current_user(), to, alias))


def _say(entry: RegistryEntry) -> Produced:
    click.echo(f"{entry.alias} is now {entry.model_id} (entry {entry.number})")
    if entry.previous_id:
        click.echo(f"before it was {entry.previous_id}; back with `ferflow models rollback`")
    return changed_facts(entry)
