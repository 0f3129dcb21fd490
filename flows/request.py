"""What a person asks of a run, and the full configuration that it results in."""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.ingest.config import SYNTHETIC
from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from flows.pipeline_config import PipelineConfig
from flows.recipes.built_in import recipe_names
from flows.recipes.load import load_config

STORE_VARIABLE = "FERFLOW_STORE"
DEFAULT_RECIPE = "demo"
SWITCHES = ("force",)
"""Parameters of single flows that are no part of a request."""
SETTINGS = {
    "pictures": "prediction.pictures",
    "model": "prediction.model",
    "redo": "prediction.redo",
}
"""Parameters of single flows that stand for a setting; an empty one leaves it as it is."""


class RunRequest(FrozenConfig):
    """The short parameters of a run: `resolve()` is the only way to a full configuration.

    The command line, the form in Prefect's UI, its API, work pools and schedules all use it.

    Example:
        request = RunRequest(recipe="fer2013", data=("fer2013.csv",), overrides=("seed=1",))
        request.resolve().seed  # 1
    """

    recipe: str = Field(default=DEFAULT_RECIPE, min_length=1, description="Name or YAML file.")
    data: tuple[str, ...] = Field(default=(), description="Sources; none: those of the recipe.")
    store: str = Field(default="", description="Folder or s3:// URL; empty: the default store.")
    seed: int | None = Field(default=None, ge=0, description="None: that of the recipe.")
    run_name: str = Field(default="", description="Empty: recipe, data and date.")
    overrides: tuple[str, ...] = Field(default=(), description="`path.to.field=value` texts.")

    def opened_store(self) -> ArtifactStore:
        """The store of the run: the given one, else `FERFLOW_STORE`, else the default folder.

        Raises:
            StoreError: the URL is not supported.
        """
        url = self.store or os.environ.get(STORE_VARIABLE, "")
        return ArtifactStore(StoreConfig(url=url) if url else StoreConfig())

    def resolve(self, option: str = "overrides") -> PipelineConfig:
        """The full configuration, with absolute paths.

        Args:
            option: what the messages call the overrides (`--set` on the command line).

        Raises:
            ConfigError: unknown recipe, key or value; lists all problems.
            StoreError: the store's URL is not supported.
        """
        store = self.opened_store()
        changes: dict[str, Any] = {}
        if self.data:
            changes["data.sources"] = [*self.data]
        if self.seed is not None:
            changes["seed"] = self.seed
        if self.store or STORE_VARIABLE in os.environ:
            changes["store.url"] = store.url
        config = load_config(self.recipe, self.overrides, changes, store=store, option=option)
        return _with_absolute_paths(config)

    def absolute(self) -> "RunRequest":
        """The same request for a process in another working directory."""
        is_file = self.recipe not in recipe_names() and Path(self.recipe).is_file()
        return self.model_copy(
            update={
                "recipe": absolute_path(self.recipe) if is_file else self.recipe,
                "data": tuple(absolute_path(source) for source in self.data),
                "store": self.resolve().store.url,
            }
        )

    def command(self) -> str:
        """The command that runs the pipeline as asked for.

        Example:
            RunRequest(recipe="demo", seed=1).command()  # "ferflow run --recipe demo --seed 1"
        """
        return shlex.join(["ferflow", "run", *self.options()])

    def options(self) -> list[str]:
        """The options of that command, which `ferflow up` also has."""
        words = ["--recipe", self.recipe]
        for source in self.data:
            words += ["--data", source]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        for override in self.overrides:
            words += ["--set", override]
        if self.store:
            words += ["--store", self.store]
        return words

    def parameters(self) -> dict[str, Any]:
        """The request as the parameters of a flow."""
        return self.model_dump(mode="json")


def absolute_path(source: str) -> str:
    """The absolute path of a source, without resolving links; `synthetic` and URLs stay."""
    if source == SYNTHETIC or "://" in source:
        return source
    return os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - no resolve


def _with_absolute_paths(config: PipelineConfig) -> PipelineConfig:
    expectations = config.validation.expectations_file
    sources = tuple(absolute_path(source) for source in config.data.sources)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"sources": sources}),
            "validation": config.validation.model_copy(
                update={"expectations_file": absolute_path(expectations) if expectations else ""}
            ),
            "store": ArtifactStore(config.store).config,
            "members": tuple(_with_weights_folder(member) for member in config.members),
            "tracking": config.tracking.model_copy(
                update={"folder": absolute_path(config.tracking.folder)}
            ),
        }
    )


def _with_weights_folder(member: MemberConfig) -> MemberConfig:
    network: NetworkConfig = member.network
    if not network.weights_dir:
        return member
    folder = absolute_path(network.weights_dir)
    return member.model_copy(update={"network": network.model_copy(update={"weights_dir": folder})})


def request_of(parameters: Mapping[str, Any]) -> RunRequest:
    """The request in the parameters of a flow, without the switches of single flows.

    Parameters that stand for a setting become overrides.
    """
    others = {*SWITCHES, *SETTINGS}
    given = {name: value for name, value in parameters.items() if name not in others}
    settings = tuple(
        f"{path}={json.dumps(_absolute(parameters[name]))}"
        for name, path in SETTINGS.items()
        if parameters.get(name)
    )
    request = RunRequest.model_validate(given)
    return request.model_copy(update={"overrides": (*request.overrides, *settings)})


def _absolute(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [absolute_path(str(path)) for path in value]
    return value
