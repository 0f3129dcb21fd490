"""Steps of `prefect deploy`: the parameters that the deployments of a work pool are made with."""

import json
import os
import re
from typing import Any

from fer_models.errors import ConfigError
from fer_models.ingest.config import SYNTHETIC
from flows.request import RunRequest

_VARIABLES = {
    "recipe": ("FERFLOW_RECIPE", "ferflow_recipe"),
    "data": ("FERFLOW_SOURCES", "ferflow_sources"),
    "store": ("FERFLOW_STORE", "ferflow_store"),
    "overrides": ("FERFLOW_OVERRIDES", "ferflow_overrides"),
}
_LISTS = ("data", "overrides")


def run_parameters(needs_data: bool = False, needs_store: bool = False) -> dict[str, Any]:
    """The short parameters of a deployment, from the environment or from Prefect variables.

    The environment variables are FERFLOW_RECIPE, FERFLOW_SOURCES, FERFLOW_STORE and
    FERFLOW_OVERRIDES; the Prefect variables ferflow_recipe, ferflow_sources, ferflow_store and
    ferflow_overrides. Several sources or overrides are separated by line breaks or `;`, or are a
    JSON list. Sources are not opened: they need only exist where the worker runs.

    Args:
        needs_data: whether sources and a store must be given, for a deployment with a schedule.
        needs_store: whether a store must be given, for one that reads no data.

    Raises:
        ConfigError: they are missing, a JSON list is wrong, or the recipe or an override is.
    """
    given = {name: _value(name, *variables) for name, variables in _VARIABLES.items()}
    request = RunRequest.model_validate({name: value for name, value in given.items() if value})
    config = request.resolve()
    if needs_data and (config.data.sources == (SYNTHETIC,) or not request.store):
        raise ConfigError(
            "a scheduled deployment needs data and a store that all workers can reach; set "
            "FERFLOW_SOURCES (such as /data/fer2013.csv) and FERFLOW_STORE (such as "
            "s3://bucket/prefix), or the Prefect variables ferflow_sources and ferflow_store"
        )
    if needs_store and not request.store:
        raise ConfigError(
            "this scheduled deployment needs a store that all workers can reach; set FERFLOW_STORE "
            "(such as s3://bucket/prefix), or the Prefect variable ferflow_store"
        )
    return request.parameters()


def _value(name: str, environment: str, variable: str) -> str | list[str]:
    from prefect.variables import Variable

    value: Any = os.environ.get(environment) or Variable.get(variable, default="")
    if name not in _LISTS:
        return str(value)
    if isinstance(value, list):
        return [str(item) for item in value]
    text = str(value).strip()
    is_json = text.startswith("[")
    parts = _json_texts(text, environment, variable) if is_json else re.split(r"[;\n]", text)
    return [part.strip() for part in parts if part.strip()]


def _json_texts(text: str, environment: str, variable: str) -> list[str]:
    expected = (
        f"{environment}, or the Prefect variable {variable}: expected a JSON list of texts, such "
        'as ["a", "b"], as the value starts with ['
    )
    try:
        parts = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{expected}; got other text ({error}); check the quotes") from error
    wrong = [part for part in parts if not isinstance(part, str)]
    if wrong:
        raise ConfigError(f"{expected}; got {json.dumps(wrong[0])} in it; put it in quotes")
    return list(parts)
