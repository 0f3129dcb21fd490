"""`ferflow automations`: what a Prefect server does by itself for a work pool's deployments."""

import os

import click

from deployments.automations.heartbeat import DEFAULT_SILENCE_S
from deployments.cli.options import notify_option
from deployments.cli.output import Produced, print_facts
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from deployments.server.home import configured_api
from fer_models.errors import ConfigError
from fer_models.redaction import without_credentials


@click.command(name="automations")
@notify_option
@click.option(
    "--silence",
    "silence_s",
    default=DEFAULT_SILENCE_S,
    show_default=True,
    type=click.IntRange(min=10),
    metavar="SECONDS",
    help="A run without a heartbeat for so long is marked as crashed; more than workers' "
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY (180 by default).",
)
@reporting
def command(notify: str, silence_s: int) -> Produced:
    """Set up the automations of the Prefect server at PREFECT_API_URL; `ferflow up` does it itself.

    Runs without heartbeats are marked as crashed, events start the retraining check, and a block is
    notified. Call it after `prefect deploy`, and again when the deployments were made anew.
    """
    set_quiet_defaults()
    api = configured_api()
    if api is None:
        raise ConfigError(
            "no Prefect server is configured; set PREFECT_API_URL, such as "
            "http://127.0.0.1:4200/api (`ferflow up` needs no further command)"
        )
    os.environ["PREFECT_API_URL"] = api
    from deployments.automations.setup import ensure_automations
    from deployments.server.process import require_answer

    require_answer(api)
    ensure_automations(notify, silence_s=silence_s)
    names, shown = _names(), without_credentials(api)
    print_facts({"server": shown, "automations": ", ".join(names)})
    return {"api": shown, "automations": names}


def _names() -> list[str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_automations()
    return sorted(one.name for one in found if one.name.startswith("ferflow"))
