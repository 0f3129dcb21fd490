"""`ferflow networks`: available architectures and their layers."""

import click

from deployments.cli.networks.summary import list_networks, summary


@click.group(name="networks")
def command() -> None:
    """List the networks that can be trained, and summarise their layers."""


command.add_command(list_networks)
command.add_command(summary)
