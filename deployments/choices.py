"""Keep the recipes that the form offers up to date while `ferflow up` runs."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from deployments.background import in_background
from flows.recipes import recipe_names, saved_recipes
from flows.request import RunRequest

POLL_S = 5.0
_LOGGER = logging.getLogger(__name__)


def recipe_choices(request: RunRequest) -> list[str]:
    """What can be chosen as recipe: the request's own, the built-in ones, and saved ones."""
    saved = saved_recipes(request.opened_store())
    return list(dict.fromkeys([request.recipe, *recipe_names(), *saved]))


def offer(choices: Sequence[str], properties: dict[str, Any]) -> None:
    """Let the form show the recipes as a list.

    Args:
        choices: names of recipes.
        properties: of a deployment's parameter schema; changed in place.
    """
    properties["recipe"]["enum"] = [*choices]


@contextmanager
def fresh_choices(
    request: RunRequest, full_names: Sequence[str], poll_s: float = POLL_S
) -> Iterator[None]:
    """While the block runs, offer recipes soon after they are saved in the store or removed.

    Args:
        request: the deployments' default parameters.
        full_names: `flow/deployment` of each deployment that is registered on the server.
        poll_s: seconds between two looks at the store.
    """
    with in_background("recipes", lambda stop: _follow(request, full_names, poll_s, stop)):
        yield


def _follow(
    request: RunRequest, full_names: Sequence[str], poll_s: float, stop: threading.Event
) -> None:
    offered: list[str] | None = None
    problem = ""
    while not stop.wait(poll_s):
        try:
            choices = recipe_choices(request)
            if choices != offered:
                _offer_on_server(choices, full_names)
                offered = choices
            problem = ""
        except Exception as error:
            # A store or server that does not answer is asked again, and reported once.
            if str(error) != problem:
                problem = str(error)
                _LOGGER.warning("the form may lack saved recipes: %s", error, exc_info=True)


def _offer_on_server(choices: Sequence[str], full_names: Sequence[str]) -> None:
    """Write the choices into the deployments that do not offer them yet; nothing else changes."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentUpdate

    with get_client(sync_client=True) as client:
        for full_name in full_names:
            deployment = client.read_deployment_by_name(full_name)
            schema = deployment.parameter_openapi_schema or {}
            properties = schema.get("properties", {})
            if properties.get("recipe", {}).get("enum") == [*choices]:
                continue
            offer(choices, properties)
            client.update_deployment(
                deployment.id, DeploymentUpdate(parameter_openapi_schema=schema)
            )
