"""The deployments served by `ferflow up`; `prefect.yaml` declares the same for a work pool."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployments.choices import offer, recipe_choices
from flows.request import RunRequest

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

RETRAINING = "retrain"
WEEKLY = "0 3 * * 1"
WEEKLY_HOUSE_KEEPING = "0 5 * * 0"


@dataclass(frozen=True)
class ServedFlow:
    """A flow with a deployment; `module` contains a function of the same name."""

    name: str
    """Name of the flow and of its deployment."""
    module: str
    is_scheduled: bool = False
    """Whether it runs on the schedule that `ferflow up` is given."""
    own_cron: str | None = None
    """Its schedule, whatever `ferflow up` is given."""

    @property
    def function(self) -> str:
        """Name of the function in the module."""
        return self.module.rpartition(".")[2]

    @property
    def entrypoint(self) -> str:
        """A module path, because a file path would put `flows/` on `sys.path`."""
        return f"{self.module}.{self.function}"


SERVED: tuple[ServedFlow, ...] = (
    ServedFlow("run-pipeline", "flows.run_pipeline"),
    ServedFlow("prepare-data", "flows.prepare_data"),
    ServedFlow("train-models", "flows.train_models"),
    ServedFlow("promote-model", "flows.promote_model"),
    ServedFlow("house-keeping", "flows.house_keeping", own_cron=WEEKLY_HOUSE_KEEPING),
    ServedFlow(RETRAINING, "flows.retrain", is_scheduled=True),
    ServedFlow("predict-batch", "flows.predict_batch"),
)


def build_deployments(
    request: RunRequest, cron: str | None = WEEKLY, tags: Sequence[str] = ()
) -> Sequence["RunnerDeployment"]:
    """Build the deployments of all flows, with `request` as their default parameters.

    Args:
        request: the parameters of a run that is triggered without any; relative paths are resolved
            from the current directory.
        cron: schedule of the retraining check (UTC); None for no schedule.
        tags: additional tags of the deployments and of their runs.

    Example:
        Serve the deployments of a recipe until interrupted:

            from prefect import serve

            request = RunRequest(recipe="fer2013", data=("fer2013.csv",))
            serve(*build_deployments(request, cron="0 4 * * *"))
    """
    from prefect.types.entrypoint import EntrypointType

    absolute = request.absolute()
    choices = recipe_choices(absolute)
    deployments = []
    for served in SERVED:
        flow: Any = getattr(importlib.import_module(served.module), served.function)
        deployment = flow.to_deployment(
            name=served.name,
            parameters=_parameters(absolute, flow),
            cron=cron if served.is_scheduled else served.own_cron,
            # Concurrent trainings on one machine slow each other down.
            concurrency_limit=1,
            tags=["ferflow", *tags],
            # The first paragraph of the docstring; the rest is for callers from Python.
            description=str(flow.description).partition("\n\n")[0],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        schema = deployment._parameter_openapi_schema  # noqa: SLF001 - no public way to change it
        offer(choices, schema.properties)
        # The form has Prefect's own field for the name of a run; two would be one too many.
        schema.properties.pop("run_name")
        deployments.append(deployment)
    return deployments


def _parameters(request: RunRequest, flow: Any) -> dict[str, Any]:
    """The parameters of a request that a flow has."""
    known = flow.parameters.properties
    return {name: value for name, value in request.parameters().items() if name in known}
