"""`ferflow serve`: a model over HTTP, with a page to try it."""

import logging
import os
import sys
from pathlib import Path
from typing import Any, get_args

import click

from deployments.cli.options import min_face_option, open_store, store_option
from deployments.cli.output import Produced, announce
from deployments.cli.output import reporting_command as reporting
from deployments.cli.stopping import stop_signal
from deployments.environment import set_quiet_defaults
from deployments.inference_server.settings import (
    DEFAULT_PORT,
    TOKEN_VARIABLE,
    ServingConfig,
    check_reach,
    read_token,
)
from deployments.loopback import LOOPBACK, check_names
from fer_models.bundles.speed import DEFAULT_SPEED, SPEEDS, Speed
from fer_models.errors import ConfigError
from fer_models.faces.found import FacesMode

_LIMITS = (
    ("--batch-pictures", int, "Most pictures that are predicted together."),
    ("--batch-wait-ms", float, "How long a batch waits for further requests."),
    ("--max-pictures", int, "Most pictures of a request."),
    ("--max-body-mb", float, "Largest body of a request."),
    ("--max-megapixels", float, "Largest picture."),
    ("--max-waiting", int, "Most pictures in the queue; beyond, 503."),
    ("--max-memory-mb", float, "Most memory for the bodies of all requests; beyond, 503."),
    ("--timeout-s", float, "Longest wait for a body, and for predictions."),
    ("--rate-per-s", float, "Requests a second from one client; 0 for any number."),
)


def _limit_options(function: Any) -> Any:
    for option, kind, text in reversed(_LIMITS):
        default = ServingConfig.model_fields[_field(option)].default
        add = click.option(option, type=kind, default=default, show_default=True, help=text)
        function = add(function)
    return function


def _field(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


@click.command(name="serve")
@click.option(
    "--model",
    "model_name",
    default="champion",
    show_default=True,
    metavar="NAME",
    help="champion (followed), bundled, bundled:NAME, a bundle or ONNX file, or the id of a model.",
)
@store_option
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to bind.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port; 0 for any free one.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Host name under which clients reach the server, besides localhost; repeatable.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File with the token that clients must send.  [env: {TOKEN_VARIABLE} (the token)]",
)
@click.option(
    "--faces",
    type=click.Choice(get_args(FacesMode)),
    default="auto",
    show_default=True,
    help="What pictures show, where a request does not say.",
)
@min_face_option
@click.option(
    "--speed",
    type=click.Choice(SPEEDS),
    default=DEFAULT_SPEED,
    show_default=True,
    help="Views of each face: one, with its mirror image, or all that the model was measured with.",
)
@_limit_options
@reporting
def command(
    model_name: str,
    store_url: str | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    token_file: Path | None,
    speed: Speed,
    verbose: bool,
    **limits: Any,
) -> Produced:
    """Serve a model over HTTP until Ctrl-C: POST pictures to /predict, or open / in a browser.

    A new champion of the store takes over within seconds, without a lost request. Beyond this
    machine the server needs a token.

    \b
    ferflow serve
    ferflow serve --model bundled --port 8000
    curl -F pictures=@face.jpg http://127.0.0.1:4202/predict
    FERFLOW_SERVE_TOKEN=... ferflow serve --host 0.0.0.0 --name fer.example.org
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    config = _config({name: value for name, value in limits.items() if value is not None})
    token = read_token(token_file)
    check_reach(host, token)
    check_names(names)
    _log_to_stderr(verbose)
    click.echo(f"loading {model_name} ...", err=True)
    from deployments.inference_server.models.service import InferenceService
    from deployments.inference_server.server import InferenceServer
    from fer_models.bundles.names import needs_store

    store = open_store(store_url) if needs_store(model_name) else None
    with (
        stop_signal() as stop,
        InferenceService(model_name, store, config, speed) as service,
        InferenceServer(service, host=host, port=port, token=token, names=names) as server,
    ):
        ready: Produced = {
            "url": server.url,
            "model": service.current.get().model.name,
            "follows": service.current.alias,
            "pid": os.getpid(),
        }
        _show(ready, is_protected=token is not None)
        announce(ready | {"state": "ready"})
        sys.stdout.flush()
        stop.wait()
        click.echo("stopping: requests in progress are finished", err=True)
    click.echo("stopped", err=True)
    return ready | {"state": "stopped"}


def _show(ready: Produced, *, is_protected: bool) -> None:
    followed = f"   (follows {ready['follows']})" if ready["follows"] else ""
    header = f" -H 'Authorization: Bearer ${TOKEN_VARIABLE}'" if is_protected else ""
    click.echo(f"model    {ready['model']}{followed}")
    click.echo(f"page     {ready['url']}/   (stop with Ctrl-C)")
    click.echo(f"predict  curl{header} -F pictures=@face.jpg {ready['url']}/predict")


def _config(limits: dict[str, Any]) -> ServingConfig:
    from pydantic import ValidationError

    try:
        return ServingConfig.model_validate(limits)
    except ValidationError as error:
        problems = [
            f"--{str(one['loc'][0]).replace('_', '-')}: {one['msg']}, got {one['input']}"
            for one in error.errors(include_url=False)
        ]
        raise ConfigError("the limits can't be used; correct them", problems) from error


def _log_to_stderr(verbose: bool) -> None:
    """What happens to the model, with times; with `--verbose` also what the library says."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("deployments.inference_server")
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.addHandler(handler)
    log.propagate = False
