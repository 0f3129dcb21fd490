"""Options shared by several commands, and the configuration they result in."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from deployments.recipes import load_config
from fer_models.errors import ConfigError
from fer_models.ingest.config import SYNTHETIC
from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from flows.pipeline_config import PipelineConfig

F = TypeVar("F", bound=Callable[..., Any])
STORE_VARIABLE = "FERFLOW_STORE"


def config_options(function: F) -> F:
    """Add `--recipe`, `--data`, `--store`, `--seed` and `--set`."""
    options = [
        click.option(
            "--recipe", default="demo", show_default=True, help="Recipe name or YAML file."
        ),
        click.option(
            "--data",
            "sources",
            multiple=True,
            metavar="PATH",
            help="Table or folder of images, or 'synthetic'; repeatable.",
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


def config_from(options: Mapping[str, Any]) -> PipelineConfig:
    """The configuration from the options of `config_options` (and `weights_option`).

    Paths and the store's URL are made absolute, because served flows run in another directory.

    Raises:
        ConfigError: lists all problems.
        StoreError: the store's URL is not supported.
    """
    changes: dict[str, Any] = {}
    if options["sources"]:
        changes["data.sources"] = [_absolute(source) for source in options["sources"]]
    if options["store_url"] is not None:
        changes["store.url"] = options["store_url"]
    if options["seed"] is not None:
        changes["seed"] = options["seed"]
    config = load_config(options["recipe"], options["assignments"], changes)
    folder = Path(config.tracking.folder).absolute()
    expectations = config.validation.expectations_file
    return config.model_copy(
        update={
            "validation": config.validation.model_copy(
                update={"expectations_file": _absolute(expectations) if expectations else ""}
            ),
            "store": ArtifactStore(config.store).config,
            "members": _with_weights(config.members, options.get("weights_dir")),
            "tracking": config.tracking.model_copy(update={"folder": str(folder)}),
        }
    )


def open_store(store_url: str | None) -> ArtifactStore:
    """The store of `--store`, or the default one."""
    return ArtifactStore(StoreConfig(url=store_url) if store_url else StoreConfig())


def _with_weights(
    members: tuple[MemberConfig, ...], weights_dir: str | None
) -> tuple[MemberConfig, ...]:
    """The members; `weights_dir` is set on those with pretrained weights."""
    pretrained = [member.name for member in members if member.network.pretrained]
    if weights_dir and not pretrained:
        raise ConfigError(
            f"--weights-dir {weights_dir}: expected a member with network.pretrained=true, but all "
            f"of {', '.join(member.name for member in members)} train from scratch; add "
            "--set members.NUMBER.network.pretrained=true, or omit the option"
        )
    return tuple(
        member.model_copy(update={"network": _with_folder(member.network, weights_dir)})
        for member in members
    )


def _with_folder(network: NetworkConfig, weights_dir: str | None) -> NetworkConfig:
    folder = (weights_dir or network.weights_dir) if network.pretrained else None
    absolute = _absolute(os.path.expanduser(folder)) if folder else None  # noqa: PTH111
    return network.model_copy(update={"weights_dir": absolute})


def _absolute(source: str) -> str:
    return source if source == SYNTHETIC else os.path.abspath(source)  # noqa: PTH100 - no resolve
