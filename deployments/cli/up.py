"""`ferflow up`: a Prefect server with its UI on loopback, serving the deployments."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from deployments.cli.options import config_from, config_options
from deployments.cli.output import Produced, announce
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from deployments.serving import WEEKLY
from fer_models.errors import ConfigError, FerError
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 180.0


@click.command(name="up")
@config_options
@click.option(
    "--port",
    default=4200,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="Port of the server.",
)
@click.option(
    "--cron",
    default=WEEKLY,
    show_default=True,
    help="Schedule of the retraining check (UTC), or 'off'.",
)
@click.option(
    "--limit",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Maximum number of concurrent runs.",
)
@reporting
def command(port: int, cron: str, limit: int, verbose: bool, **options: Any) -> Produced:
    """Start Prefect with its UI on this machine, and serve the deployments until Ctrl-C.

    The deployments are run-pipeline, prepare-data, train-models, promote-model and retrain
    (scheduled by --cron). The recipe is the default of their parameters. A Prefect server that
    already runs on the port, or at PREFECT_API_URL, is used instead of a new one.
    """
    from deployments.heartbeat import HEARTBEAT_S

    set_quiet_defaults()
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_S))
    config = config_from(options)
    schedule = None if cron == "off" else cron or WEEKLY
    _check_cron(schedule)
    ArtifactStore(config.store).check_writable()
    with _server(port, verbose) as api_url:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: api_url}):
            return _serve(config, api_url, schedule, limit)


def _serve(config: PipelineConfig, api_url: str, schedule: str | None, limit: int) -> Produced:
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner

    from deployments.crashed import mark_crashed_runs
    from deployments.heartbeat import ensure_heartbeat_automation
    from deployments.serving import build_deployments
    from fer_models.processes import process_tag

    # Its runs carry the tag of this process: after a kill, the next start finds them.
    deployments = build_deployments(config, schedule, tags=[process_tag()])
    mark_crashed_runs()
    ensure_heartbeat_automation()
    runner = Runner(pause_on_shutdown=True, limit=limit)
    for deployment in deployments:
        runner.add_deployment(deployment)
    ready: Produced = {
        "api": api_url,
        "ui": api_url.removesuffix("/api"),
        "deployments": [f"{deployment.flow_name}/{deployment.name}" for deployment in deployments],
        "schedule": schedule,
        "pid": os.getpid(),
    }
    click.echo(f"Prefect UI   {ready['ui']}/deployments")
    click.echo(f"other shells export PREFECT_API_URL={api_url}")
    click.echo("trigger      prefect deployment run run-pipeline/run-pipeline")
    click.echo(f"retraining   {schedule or 'off'}   (stop with Ctrl-C)")
    announce(ready | {"state": "ready"})
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
    click.echo("stopping", err=True)
    return ready | {"state": "stopped"}


@contextmanager
def _server(port: int, verbose: bool) -> Iterator[str]:
    """The URL of the API; a server started here is stopped at the end."""
    configured = os.environ.get("PREFECT_API_URL")
    api_url = configured or f"http://{_HOST}:{port}/api"
    if _answers(api_url):
        yield api_url
        return
    if configured:
        raise ConfigError(
            f"PREFECT_API_URL={configured}: no Prefect server answers; start it, or unset the "
            "variable to let `ferflow up` start one"
        )
    if _is_taken(port):
        raise ConfigError(
            f"port {port} of {_HOST} is used by another program; choose another --port"
        )
    click.echo(f"starting Prefect on {_HOST}:{port} ...", err=True)
    arguments = [sys.executable, "-m", "prefect", "server", "start"]
    arguments += ["--host", _HOST, "--port", str(port)]
    output = None if verbose else subprocess.DEVNULL
    # The UI expects its API on port 4200 unless it is configured.
    environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": api_url}
    # A separate session: Ctrl-C must stop the served runs before the server.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        arguments,
        env=environment,
        stdout=output,
        stderr=output,
        cwd=Path.home(),
        start_new_session=True,
    )
    try:
        _wait_for(process, api_url)
        yield api_url
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(process: "subprocess.Popen[bytes]", api_url: str) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise FerError(
                f"the Prefect server exited with code {process.returncode} during start-up; "
                "run `ferflow up --verbose` to see its output"
            )
        if _answers(api_url):
            return
        time.sleep(0.5)
    raise FerError(
        f"the Prefect server did not answer at {api_url} within {_START_TIMEOUT_S:.0f} s"
    )


def _answers(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=3) as answer:  # noqa: S310
            return bool(answer.status == 200 and answer.read().strip() == b"true")
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _is_taken(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return True
    return False


def _check_cron(schedule: str | None) -> None:
    if schedule is None:
        return
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=schedule)
    except ValueError as error:
        raise ConfigError(
            f"--cron {schedule!r}: expected five fields such as '0 3 * * 1', or 'off'"
        ) from error
