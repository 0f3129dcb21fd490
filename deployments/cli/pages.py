"""`ferflow pages`: the reports, pages and plots of a store in the browser."""

import os
import sys

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, announce
from deployments.cli.output import reporting_command as reporting
from deployments.cli.stopping import stop_signal


@click.command(name="pages")
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option(
    "--port",
    default=4201,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port; 0 for any free one.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Host name under which browsers reach the server, besides localhost; repeatable.",
)
@reporting
def command(store_url: str | None, host: str, port: int, names: tuple[str, ...]) -> Produced:
    """Serve the pages of a store until Ctrl-C: reports, explorations, data gate, reviews, plots.

    Read-only, on this machine. A flow links to it if FERFLOW_PAGES_URL is set where it runs. To
    serve other machines, set PREFECT_SERVER_API_AUTH_STRING=user:password.

    \b
    ferflow pages --store s3://bucket/prefix
    PREFECT_SERVER_API_AUTH_STRING=me:secret ferflow pages --host 0.0.0.0 --name fer.example.org
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b
    from deployments.loopback import check_names, configured_auth
    from deployments.pages.server import PageServer

    check_names(names)
    store = open_store(store_url)
    server = PageServer(store.config, host=host, port=port, auth=configured_auth(), names=names)
    with stop_signal() as stop, server:
        ready: Produced = {"url": server.url, "store": store.url, "pid": os.getpid()}
        click.echo(f"pages   {server.url}   of {store.url}   (stop with Ctrl-C)")
        click.echo(f"links   export FERFLOW_PAGES_URL={server.url}")
        announce(ready | {"state": "ready"})
        sys.stdout.flush()
        stop.wait()
    click.echo("stopped", err=True)
    return ready | {"state": "stopped"}
