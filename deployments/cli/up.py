"""`ferflow up`: a Prefect server with its UI on loopback, and the deployments served."""

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
from fer_models.errors import ConfigError, FerError
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 180.0


@click.command(name="up")
@config_options
@click.option("--port", default=4200, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--cron", default=None, help="When to look whether to retrain; 'off' for never.")
@click.option("--limit", default=2, show_default=True, type=click.IntRange(1), help="Runs at once.")
@reporting
def command(port: int, cron: str | None, limit: int, verbose: bool, **options: Any) -> Produced:
    """Start Prefect with its UI on this machine, and serve the deployments until Ctrl-C.

    The deployments are run-pipeline, prepare-data, train-models, promote-model and retrain
    (weekly, unless --cron says otherwise); their forms are filled with the recipe. A Prefect
    server that already listens on the port, or that PREFECT_API_URL names, is used as it is.
    """
    from deployments.heartbeat import HEARTBEAT_S
    from deployments.serving import WEEKLY

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

    from deployments.crashed import sweep_crashed_runs
    from deployments.heartbeat import ensure_heartbeat_automation
    from deployments.serving import build_deployments
    from fer_models.processes import process_tag

    # Runs of a server that was killed carry its tag: the next one finds them.
    made = build_deployments(config, schedule, tags=[process_tag()])
    sweep_crashed_runs()
    ensure_heartbeat_automation()
    runner = Runner(pause_on_shutdown=True, limit=limit)
    for deployment in made:
        runner.add_deployment(deployment)
    ready: Produced = {
        "api": api_url,
        "ui": api_url.removesuffix("/api"),
        "deployments": [f"{deployment.flow_name}/{deployment.name}" for deployment in made],
        "schedule": schedule,
        "pid": os.getpid(),
    }
    click.echo(f"Prefect UI   {ready['ui']}/deployments")
    click.echo(f"elsewhere    export PREFECT_API_URL={api_url}")
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
    """The API's URL; a server that this call started is stopped at the end."""
    named = os.environ.get("PREFECT_API_URL")
    api_url = named or f"http://{_HOST}:{port}/api"
    if _answers(api_url):
        yield api_url
        return
    if named:
        raise ConfigError(
            f"PREFECT_API_URL={named}: no Prefect server answers there; start it, or unset the "
            "variable to let `ferflow up` start one"
        )
    if _is_taken(port):
        raise ConfigError(f"port {port} of {_HOST} is taken by another program; choose --port")
    click.echo(f"starting Prefect on {_HOST}:{port} ...", err=True)
    arguments = [sys.executable, "-m", "prefect", "server", "start"]
    arguments += ["--host", _HOST, "--port", str(port)]
    output = None if verbose else subprocess.DEVNULL
    # Without it the UI looks for its API on port 4200, whatever the server's port is.
    environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": api_url}
    # Its own process group: Ctrl-C should reach the served runs first, the server last.
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
                f"the Prefect server ended with code {process.returncode} while starting; "
                "see why with `ferflow up --verbose`"
            )
        if _answers(api_url):
            return
        time.sleep(0.5)
    raise FerError(f"the Prefect server did not answer at {api_url} in {_START_TIMEOUT_S:.0f} s")


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
