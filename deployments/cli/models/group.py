"""`ferflow models`: stored models, the champion with its history, and weight bundles."""

import click

from deployments.cli.models.average import average
from deployments.cli.models.card import card
from deployments.cli.models.change import promote, rollback
from deployments.cli.models.compare import compare
from deployments.cli.models.export import export
from deployments.cli.models.export_page import export_page
from deployments.cli.models.history import history
from deployments.cli.models.import_bundle import import_model
from deployments.cli.models.reproduce import reproduce
from deployments.cli.models.show import show
from deployments.cli.models.stored import list_models
from deployments.cli.networks.summary import hidden_summary


@click.group(name="models")
def command() -> None:
    """List, compare and average stored models; change the champion; export, import, reproduce."""


for _subcommand in (
    list_models,
    show,
    compare,
    history,
    promote,
    rollback,
    card,
    export,
    export_page,
    import_model,
    average,
    reproduce,
    hidden_summary,
):
    command.add_command(_subcommand)
