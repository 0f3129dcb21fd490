"""Options shared by several commands, and the configuration they result in."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from fer_models.errors import ConfigError, DataError, FerError
from fer_models.faces.settings import DEFAULT_FACES, SHORTEST_FACE_PX
from fer_models.models.names import OWN_NAMES
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from flows.pipeline_config import PipelineConfig
from flows.request import STORE_VARIABLE, RunRequest, absolute_path

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DATA_AS_ARGUMENTS = "this command takes pictures as PATH...; name them without the option"


def config_options(function: F) -> F:
    """Add `--recipe`, `--data`, `--store`, `--seed` and `--set`."""
    return _with_options(function)


def picture_options(function: F) -> F:
    """As `config_options`, for commands that take pictures as arguments: no `--data` in the help.

    A command line with it is to be refused with `DATA_AS_ARGUMENTS`.
    """
    return _with_options(function, hidden_data=True)


def _with_options(function: F, *, hidden_data: bool = False) -> F:
    options = [
        click.option(
            "--recipe",
            default="demo",
            show_default=True,
            help="Built-in or saved recipe, or YAML file.",
        ),
        click.option(
            "--data",
            "sources",
            multiple=True,
            metavar="PATH",
            hidden=hidden_data,
            help="Table, archive or folder of images, also s3://..., or 'synthetic'; repeatable.",
        ),
        store_option,
        click.option("--seed", type=click.IntRange(min=0), help="Random seed."),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="PATH=VALUE",
            help="Change a setting, such as members.0.training.epochs=3; repeatable.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def min_face_option(function: F) -> F:
    """Add `--min-face`; the value is `min_face_px`, None if not given."""
    return click.option(
        "--min-face",
        "min_face_px",
        type=click.IntRange(SHORTEST_FACE_PX),
        metavar="PX",
        help="Smallest face to find in a photo: the longer side of its box, at least "
        f"{SHORTEST_FACE_PX}.  [default: {DEFAULT_FACES.min_size_px}]",
    )(function)


def store_option(function: F) -> F:
    """Add `--store`."""
    return click.option(
        "--store",
        "store_url",
        envvar=STORE_VARIABLE,
        metavar="URL",
        help=f"Folder or s3://bucket/prefix.  [default: .ferflow/store; env: {STORE_VARIABLE}]",
    )(function)


def weights_option(function: F) -> F:
    """Add `--weights-dir`, for commands that train."""
    return click.option(
        "--weights-dir",
        "weights_dir",
        metavar="DIR",
        help="Folder with the weights of pretrained members.",
    )(function)


def notify_option(function: F) -> F:
    """Add `--notify`."""
    return click.option(
        "--notify",
        default="",
        metavar="TYPE/NAME",
        help="Block of Prefect that is notified of failed runs, drift and new champions, such as "
        "slack-webhook/team.",
    )(function)


def is_given(parameter: str) -> bool:
    """Whether an option or argument stands on the command line; the environment does not count."""
    context = click.get_current_context(silent=True)
    source = context.get_parameter_source(parameter) if context else None
    return source is click.core.ParameterSource.COMMANDLINE


def without_effect(parameters: Sequence[str], advice: str) -> list[str]:
    """A problem that names the options that were given in vain; none if none was given.

    Args:
        parameters: names of the parameters that have no effect in this call.
        advice: what they belong to, and what to do.

    Example:
        without_effect(["fps"], "only for a video; pass --video FILE, or omit it")
        # ["--fps: only for a video; pass --video FILE, or omit it"]
    """
    context = click.get_current_context(silent=True)
    known = context.command.params if context else []
    given = [one for one in known if one.name in parameters and is_given(one.name)]
    names = [max(one.opts, key=len) for one in given]
    return [f"{', '.join(names)}: {advice}"] if names else []


def refuse(problems: Sequence[str]) -> None:
    """Refuse a command line that has problems.

    Raises:
        ConfigError: lists all problems.
    """
    if len(problems) == 1:
        raise ConfigError(problems[0])
    if problems:
        raise ConfigError("these options don't go together; nothing was done", problems)


def attempt(call: Callable[[], T], errors: list[FerError]) -> T | None:
    """The result of the call; None after an error, which is added to `errors`."""
    try:
        return call()
    except FerError as error:
        errors.append(error)
        return None


def raise_all(errors: list[FerError]) -> None:
    """Raise all problems of the input as one error."""
    if len(errors) == 1:
        raise errors[0]
    lines = [
        line
        for error in errors
        for line in [f"{error.message}: {problem}" for problem in error.problems] or [error.message]
    ]
    if lines:
        raise DataError(f"the input can't be used: {len(lines)} problems", lines)


def request_from(options: Mapping[str, Any]) -> RunRequest:
    """The short parameters of a run from the options of `config_options`, with absolute paths.

    Raises:
        ConfigError: lists all problems.
        StoreError: the store's URL is not supported.
    """
    request = RunRequest(
        recipe=options["recipe"],
        data=tuple(options["sources"]),
        store=options["store_url"] or "",
        seed=options["seed"],
        overrides=tuple(options["assignments"]),
        run_name=options.get("run_name") or "",
    )
    config = request.resolve("--set")
    weights = _weights_overrides(config.members, options.get("weights_dir"))
    return request.absolute().model_copy(update={"overrides": (*request.overrides, *weights)})


def config_from(options: Mapping[str, Any]) -> PipelineConfig:
    """The configuration from the options of `config_options` (and `weights_option`).

    Raises:
        ConfigError: lists all problems.
        StoreError: the store's URL is not supported.
    """
    return request_from(options).resolve("--set")


def open_store(store_url: str | None) -> ArtifactStore:
    """The store of `--store`, or the default one."""
    return ArtifactStore(StoreConfig(url=store_url) if store_url else StoreConfig())


def _weights_overrides(
    members: tuple[MemberConfig, ...], weights_dir: str | None
) -> tuple[str, ...]:
    """`weights_dir` as a setting of those members that start from timm's or dlib's weights."""
    if not weights_dir:
        return ()
    pretrained = [
        number
        for number, member in enumerate(members)
        if member.network.pretrained and member.network.name not in OWN_NAMES
    ]
    if not pretrained:
        raise ConfigError(f"--weights-dir {weights_dir}: {_no_use_for_weights(members)}")
    folder = json.dumps(absolute_path(weights_dir))
    return tuple(f"members.{number}.network.weights_dir={folder}" for number in pretrained)


def _no_use_for_weights(members: tuple[MemberConfig, ...]) -> str:
    """What is expected of the members, none of which starts from timm's or dlib's weights."""
    if any(member.network.pretrained for member in members):
        starts = [
            f"{member.name} (from "
            f"{'weights that ship with ferflow' if member.network.pretrained else 'scratch'})"
            for member in members
        ]
        return (
            "expected a member that starts from timm's or dlib's weights, got "
            f"{', '.join(starts)}; omit the option"
        )
    return (
        "expected a member with network.pretrained=true, but all "
        f"of {', '.join(member.name for member in members)} train from scratch; add "
        "--set members.NUMBER.network.pretrained=true for a network of timm or dlib, or omit the "
        "option"
    )
