"""Shared by all steps: options, configuration and store."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from deployments.cli.latest import find_snapshot
from deployments.cli.options import config_from, is_given, refuse, without_effect
from deployments.cli.output import Produced
from deployments.cli.outputs import Outputs
from deployments.environment import set_quiet_defaults
from fer_models.history.record import RunRecord, new_run_id
from fer_models.inference.open_model import find_model
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import running_in
from flows.pipeline_config import PipelineConfig

snapshot_option = click.option(
    "--snapshot",
    "snapshot_id",
    metavar="ID",
    help="Snapshot id or its beginning.  [default: the latest one]",
)
model_option = click.option(
    "--model",
    "model_ids",
    multiple=True,
    metavar="ID",
    help="Model id or its beginning; repeatable.  [default: the latest ones]",
)


_ONLY_INGEST = (
    "only `ferflow task ingest` reads data; call it first, and this step without the option"
)


class Step(Outputs):
    """The configuration and the store of a step, and the outputs of the steps before it.

    With `--run`, outputs and settings are those of that run; `--set` and `--seed` change its
    settings, `--recipe` replaces them. `--data` is for the steps that read the sources or note
    them.
    """

    def __init__(self, options: dict[str, Any], *, takes_data: bool = False) -> None:
        set_quiet_defaults()
        if not takes_data:
            refuse(without_effect(["sources"], _ONLY_INGEST))
        run_text = options.get("run_text")
        keeps_settings = run_text is not None and not is_given("recipe")
        self.config: PipelineConfig = config_from(_places(options) if keeps_settings else options)
        super().__init__(ArtifactStore(self.config.store), run_text)
        context = click.get_current_context(silent=True)
        if context is not None:
            # Until the end of the command no collection removes what the step works with.
            context.with_resource(running_in(self.store, new_run_id(time.time())))
        if keeps_settings and self.run is not None:
            self.config = _config_of(self.run, options, self.store)

    def snapshot(self, wanted: str | None, step: str) -> SnapshotRef:
        """The given snapshot, or the result of `step`."""
        if wanted:
            return find_snapshot(self.store, wanted)
        return self.recall(step, SnapshotRef)

    def models(self, wanted: tuple[str, ...]) -> list[ModelRef]:
        """The given models, or the model of every member."""
        if wanted:
            return [find_model(self.store, text) for text in wanted]
        names = [member.name for member in self.config.members]
        if self.run is not None and self.run.artifacts.models:
            names = list(self.run.artifacts.models)
        return [self.recall(f"train-{name}", ModelRef) for name in names]


def _places(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say where the store is: the others are for the settings of a run."""
    stores = [text for text in options["assignments"] if text.startswith("store.")]
    return {**options, "assignments": stores, "weights_dir": None}


def _config_of(run: RunRecord, options: Mapping[str, Any], store: ArtifactStore) -> PipelineConfig:
    """The settings of a run, changed by the options; artifacts stay in `store`."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / f"{run.id}.yaml"
        recipe.write_text(yaml.safe_dump(run.config), encoding="utf-8")
        return config_from({**options, "recipe": str(recipe), "store_url": store.url})


def short(facts: Produced, *omitted: str) -> dict[str, str]:
    """The facts as text, without the omitted ones."""
    return {key: str(value) for key, value in facts.items() if key not in omitted}


def number(value: Any) -> str:
    """Four decimals for floats, nothing for None, the plain value otherwise."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
