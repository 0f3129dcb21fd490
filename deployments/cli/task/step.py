"""Shared by all steps: options, configuration and store."""

from typing import Any

import click

from deployments.cli.latest import find_model, find_snapshot
from deployments.cli.options import config_from
from deployments.cli.output import Produced
from deployments.environment import set_quiet_defaults
from fer_models.storage.latest import recall
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
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


class Step:
    """The configuration and the store of a step."""

    def __init__(self, options: dict[str, Any]) -> None:
        set_quiet_defaults()
        self.config: PipelineConfig = config_from(options)
        self.store = ArtifactStore(self.config.store)

    def snapshot(self, wanted: str | None, step: str) -> SnapshotRef:
        """The given snapshot, or the latest result of `step`."""
        if wanted:
            return find_snapshot(self.store, wanted)
        return recall(self.store, step, SnapshotRef)

    def models(self, wanted: tuple[str, ...]) -> list[ModelRef]:
        """The given models, or the latest model of every member."""
        if wanted:
            return [find_model(self.store, text) for text in wanted]
        names = [member.name for member in self.config.members]
        return [recall(self.store, f"train-{name}", ModelRef) for name in names]


def short(facts: Produced, *omitted: str) -> dict[str, str]:
    """The facts as text, without the omitted ones."""
    return {key: str(value) for key, value in facts.items() if key not in omitted}


def number(value: Any) -> str:
    """Four decimals for floats, the plain value otherwise."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
