"""Automations that run the deployment `retrain` when an event asks for it."""

from typing import TYPE_CHECKING, Any

from deployments.automations.ensure import ensure_automation
from fer_models.errors import ConfigError
from tasks.events import DATA_CHANGED, DRIFT_DETECTED, RETRAIN_DRIFT, RETRAIN_REQUESTED

if TYPE_CHECKING:
    from prefect.automations import Automation
    from prefect.client.schemas.responses import DeploymentResponse

DEPLOYMENT = "retrain/retrain"
ON_REQUEST = "ferflow: retrain when asked"
ON_CHANGE = "ferflow: check retraining when data change or drift"


def ensure_retraining_automations() -> None:
    """Create both automations for the deployment `retrain/retrain`, or bring them up to date.

    `ferflow.retrain.requested` forces a retraining. `ferflow.data.changed` and
    `ferflow.drift.detected` start a run that decides by its own criteria. All other parameters
    are those of the deployment.

    Raises:
        ConfigError: the server has no deployment of that name.
    """
    deployment = _deployment()
    ensure_automation(
        _run_on(
            ON_REQUEST,
            "Retrains, whatever the criteria say.",
            deployment,
            {RETRAIN_REQUESTED},
            {"force": True},
        )
    )
    ensure_automation(
        _run_on(
            ON_CHANGE,
            "Starts the retraining check, which decides by its criteria.",
            deployment,
            {DATA_CHANGED, DRIFT_DETECTED},
        )
    )


def _run_on(
    name: str,
    description: str,
    deployment: "DeploymentResponse",
    events: set[str],
    parameters: dict[str, Any] | None = None,
) -> "Automation":
    from prefect.automations import Automation
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    # A retraining run that finds drift must not start the next one.
    resource = ResourceSpecification({"prefect.resource.id": [f"!{RETRAIN_DRIFT}.*"]})
    return Automation(
        name=name,
        description=description,
        trigger=EventTrigger(expect=events, match=resource, posture=Posture.Reactive, threshold=1),
        actions=[RunDeployment(deployment_id=deployment.id, parameters=parameters)],
    )


def _deployment() -> "DeploymentResponse":
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound as error:
            raise ConfigError(
                f"the Prefect server has no deployment {DEPLOYMENT}; serve it with `ferflow up`, "
                "or deploy deployments/prefect.yaml"
            ) from error
