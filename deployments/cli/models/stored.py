"""`ferflow models list`: the models of a store."""

from typing import TYPE_CHECKING

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import NOTHING, accuracy_text, moment, short_id, size_text, warn

if TYPE_CHECKING:
    from fer_models.history.stored import StoredModel


@click.command(name="list")
@store_option
@reporting
def list_models(store_url: str | None) -> Produced:
    """List the stored models, the newest first. ★ is the champion, ☆ the one before.

    The networks that can be trained are listed by `ferflow networks list`.
    """
    from fer_models.history.stored import stored_models

    store = open_store(store_url)
    models, warnings = stored_models(store)
    warn(warnings)
    columns = ["model, network, parameters, since (UTC)", "data, seed", "validation in %"]
    print_table(f"Models in {store.url}", columns, [_row(model) for model in models])
    if not models:
        click.echo("no models yet: train some with `ferflow run`, or check --store")
    return {"models": [model.model_dump(mode="json") for model in models], "warnings": warnings}


def _row(model: "StoredModel") -> list[str]:
    """Two lines for each model, so that three columns fit into 80 characters."""
    mark = {"champion": " ★", "previous": " ☆"}.get(model.role, "")
    about = (model.network or model.kind, size_text(model.parameters), moment(model.made_s))
    return [
        f"{model.id}{mark}\n{', '.join(about)}",
        f"{short_id(model.snapshot)}\nseed {NOTHING if model.seed is None else model.seed}",
        _accuracy(model),
    ]


def _accuracy(model: "StoredModel") -> str:
    if model.validation is not None:
        return f"{accuracy_text(model.validation, with_n=False)}\nn={model.validation.n}"
    if model.validation_accuracy is None:
        return NOTHING
    return f"{100 * model.validation_accuracy:.1f}\nnot evaluated"
