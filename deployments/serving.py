"""The deployments that `ferflow up` serves; `prefect.yaml` declares the same for a work pool."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.pipeline_config import PipelineConfig

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

WEEKLY = "0 3 * * 1"


@dataclass(frozen=True)
class ServedFlow:
    """A flow that can be triggered: `module` holds a function of the same name."""

    name: str
    """Of the flow and of its deployment."""
    module: str
    is_scheduled: bool = False

    @property
    def function(self) -> str:
        """The function's name within the module."""
        return self.module.rpartition(".")[2]

    @property
    def entrypoint(self) -> str:
        """A module path: a file path would put `flows/` on `sys.path`."""
        return f"{self.module}.{self.function}"


SERVED: tuple[ServedFlow, ...] = (
    ServedFlow("run-pipeline", "flows.run_pipeline"),
    ServedFlow("prepare-data", "flows.prepare_data"),
    ServedFlow("train-models", "flows.train_models"),
    ServedFlow("promote-model", "flows.promote_model"),
    ServedFlow("retrain", "flows.retrain", is_scheduled=True),
)


def build_deployments(
    config: PipelineConfig, cron: str | None = WEEKLY, tags: Sequence[str] = ()
) -> Sequence["RunnerDeployment"]:
    """Deployments of all flows, with `config` filled into their parameter forms.

    Args:
        config: what a run gets that is triggered without parameters.
        cron: when to look whether to retrain (UTC); None for never.
        tags: further tags of the deployments, which their runs get, too.
    """
    from prefect.types.entrypoint import EntrypointType

    made = []
    for served in SERVED:
        flow: Any = getattr(importlib.import_module(served.module), served.function)
        made.append(
            flow.to_deployment(
                name=served.name,
                parameters={"config": config.model_dump(mode="json")},
                cron=cron if served.is_scheduled else None,
                # Two trainings at once on one machine only make both slower.
                concurrency_limit=1,
                tags=["ferflow", *tags],
                description=flow.description,
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
        )
    return made
