"""`ferflow up`: a Prefect server with its UI on loopback, serving the deployments."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from deployments.background import in_background
from deployments.cli.options import (
    config_options,
    notify_option,
    refuse,
    request_from,
    without_effect,
)
from deployments.cli.output import Produced, announce
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from deployments.loopback import LOOPBACK, accepted_names, check_exposure, configured_auth
from deployments.pages.server import PageServer
from deployments.server.home import API_VARIABLE, configured_api, use_project_home
from deployments.server.kept import kept_running
from deployments.server.process import require_answer, start_lasting_server
from deployments.server.running import only_one, write_facts
from deployments.serving import RETRAINING, WEEKLY
from fer_models.errors import ConfigError
from fer_models.redaction import without_credentials
from fer_models.storage.store import ArtifactStore
from flows.checks import check_config
from flows.request import RunRequest
from tasks.artifacts.links import PAGES_VARIABLE

_POLL_S = 2.0


@click.command(name="up")
@config_options
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    help="Address to bind; one beyond loopback needs a password (see docs/operating.md).",
)
@click.option(
    "--port",
    default=4200,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="Port of the server.",
)
@click.option(
    "--pages-port",
    default=4201,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port of the reports and other pages of the store; 0 for any free one.",
)
@click.option(
    "--cron",
    default=None,
    help=f"Schedule of the retraining check (UTC), or 'off'.  [default: the one set in the UI, "
    f"else '{WEEKLY}']",
)
@notify_option
@click.option(
    "--limit",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Maximum number of concurrent runs.",
)
@reporting
def command(
    host: str,
    port: int,
    pages_port: int,
    cron: str | None,
    notify: str,
    limit: int,
    verbose: bool,
    **options: Any,
) -> Produced:
    """Start Prefect with its UI on this machine, and serve the deployments until Ctrl-C.

    The deployments are run-pipeline, prepare-data, train-models, promote-model, predict-batch,
    house-keeping (weekly; it only reports, unless retention.delete=true) and retrain (scheduled by
    --cron). The options are the defaults of their form. A Prefect server at PREFECT_API_URL is used
    instead of a new one. Prefect's data is kept beside the store (.ferflow/prefect), unless
    PREFECT_HOME says otherwise.
    """
    set_quiet_defaults()
    if configured_api():
        advice = "PREFECT_API_URL names the Prefect server, so none is started; unset it, or omit"
        refuse(without_effect(["port"], f"{advice} the option"))
    request = request_from(options)
    config = request.resolve("--set")
    store = ArtifactStore(config.store)
    home = use_project_home(store)
    _check_cron(cron)
    check_exposure(
        host, configured_auth(), "other machines could run commands through Prefect's API"
    )
    check_config(config)
    store.check_writable()
    pages = PageServer(store.config, host=host, port=pages_port, auth=configured_auth())
    with _server(home, host, port, verbose) as api_url, _client_of(api_url), pages:
        # A link for browsers elsewhere is the user's setting.
        os.environ.setdefault(PAGES_VARIABLE, pages.url)
        return _serve(home, request, api_url, cron, notify, limit)


def _serve(
    home: Path, request: RunRequest, api_url: str, cron: str | None, notify: str, limit: int
) -> Produced:
    from prefect.exceptions import TerminationSignal

    from deployments.automations.setup import ensure_automations
    from deployments.choices import fresh_choices
    from deployments.crashed import mark_crashed_runs, marking_crashed_runs
    from deployments.runner import ServingRunner
    from deployments.schedules import catch_up, keep_edits, missed_runs
    from deployments.serving import build_deployments
    from deployments.watch import poll_interval_s
    from flows.entry.parent import PARENT_VARIABLE

    poll_s = poll_interval_s()
    deployments = build_deployments(request, None if cron == "off" else cron or WEEKLY)
    [retraining] = [one for one in deployments if one.name == RETRAINING]
    scheduled = retraining.full_name
    mark_crashed_runs()
    missed = missed_runs(scheduled)
    keep_edits([one for one in deployments if one is not retraining], is_cron_given=False)
    keep_edits([retraining], is_cron_given=cron is not None)
    # Schedules stay active while nothing is served: what was missed is caught up once.
    runner = ServingRunner(
        api_url, home, pause_on_shutdown=False, limit=limit, query_seconds=_POLL_S
    )
    for deployment in deployments:
        runner.add_deployment(deployment)
    ensure_automations(notify)
    catch_up(scheduled, missed)
    names = [deployment.full_name for deployment in deployments]
    ready = _facts(api_url, names, _schedule_in_force(scheduled))
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    write_facts(home, ready)
    # Its front page opens the version of the UI that the browser prefers; other pages do not.
    click.echo(f"Prefect UI   {ready['ui']}")
    click.echo(f"reports      {ready['pages']}")
    click.echo(f"other shells export PREFECT_API_URL={ready['api']}")
    click.echo("trigger      prefect deployment run run-pipeline/run-pipeline")
    click.echo(f"retraining   {ready['schedule'] or 'off'}   (stop with Ctrl-C)")
    announce(ready | {"state": "ready"})
    sys.stdout.flush()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_watched(request, poll_s))
        stack.enter_context(marking_crashed_runs())
        stack.enter_context(fresh_choices(request.absolute(), ready["deployments"]))
        stack.enter_context(contextlib.suppress(KeyboardInterrupt, TerminationSignal))
        runner.serve()
    click.echo("stopping", err=True)
    return ready | {"state": "stopped"}


def _facts(api_url: str, deployments: list[str], schedule: str | None) -> Produced:
    """What other commands and people need to know, without passwords: it is written to a file."""
    api = without_credentials(api_url)
    return {
        "api": api,
        "ui": api.removesuffix("/api"),
        "deployments": deployments,
        "schedule": schedule,
        "pages": without_credentials(os.environ[PAGES_VARIABLE]),
        "pid": os.getpid(),
    }


@contextmanager
def _watched(request: RunRequest, poll_s: float) -> Iterator[None]:
    """Watch the sources meanwhile; new content starts the retraining check."""
    from deployments.watch import emit_data_changed, watch_sources

    config = request.resolve()

    def watch(stop: threading.Event) -> None:
        watch_sources(config.data, poll_s, emit_data_changed, stop, config.seed)

    with in_background("watch", watch):
        yield


@contextmanager
def _server(home: Path, host: str, port: int, verbose: bool) -> Iterator[str]:
    """The URL of the API; a server started here is stopped at the end."""
    configured = configured_api()
    if configured:
        require_answer(configured)
        yield configured
        return
    with only_one(home):
        click.echo(f"starting Prefect on {host}:{port} ...", err=True)
        names = accepted_names(host)
        with kept_running(lambda: start_lasting_server(home, host, port, names, verbose)) as server:
            yield server.api_url


@contextmanager
def _client_of(api_url: str) -> Iterator[None]:
    """Let Prefect in this process, and in those of the served runs, use the server."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    os.environ[API_VARIABLE] = api_url
    if server_auth := configured_auth():
        os.environ.setdefault("PREFECT_API_AUTH_STRING", server_auth)
    auth = os.environ.get("PREFECT_API_AUTH_STRING")
    with temporary_settings({PREFECT_API_URL: api_url, PREFECT_API_AUTH_STRING: auth}):
        yield


def _schedule_in_force(full_name: str) -> str | None:
    """The active cron schedules of a deployment on the server, as text."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        schedules = client.read_deployment_by_name(full_name).schedules
    active = [str(getattr(s.schedule, "cron", s.schedule)) for s in schedules if s.active]
    return ", ".join(active) or None


def _check_cron(cron: str | None) -> None:
    if cron is None or cron == "off":
        return
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError as error:
        raise ConfigError(
            f"--cron {cron!r}: expected five fields such as '0 3 * * 1', or 'off'"
        ) from error
