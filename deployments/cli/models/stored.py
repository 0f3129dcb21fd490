"""`ferflow models list`: the models of a store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import NOTHING, accuracy_text, moment, short_id, size_text, warn

if TYPE_CHECKING:
    from fer_models.bundles.facts import CommonFacts
    from fer_models.history.stored import StoredModel

_LEGEND = (
    "*: the default; views: how often a face is read; 10⁶ mult.: multiply-adds of a face; "
    "faces/s: in batches, of one core of an AMD EPYC (Zen 4); %: validation accuracy"
)
_FINAL = "+"
_FINAL_LEGEND = (
    f"{_FINAL}: a final fit, which has learned from the validation images, too; the accuracy is "
    "that of the network that it repeats"
)
_SHIPPED_COLUMNS = ["model", "--speed", "views", "10⁶ mult.", "faces/s", "%"]


@click.command(name="list")
@store_option
@reporting
def list_models(store_url: str | None) -> Produced:
    """List the stored models, the newest first, and those that ferflow ships.

    ★ is the champion, ☆ the one before. --speed of `ferflow predict` chooses how many views of a
    face are computed: cost and accuracy of each speed stand beside the shipped models.

    The networks that can be trained are listed by `ferflow networks list`.
    """
    from fer_models.bundles.names import BUNDLED
    from fer_models.bundles.shipped import shipped_facts
    from fer_models.history.stored import stored_models

    store = open_store(store_url)
    models, warnings = stored_models(store)
    warn(warnings)
    columns = ["model, network, parameters, since (UTC)", "data, seed", "validation in %"]
    print_table(f"Models in {store.url}", columns, [_row(model) for model in models])
    if not models:
        click.echo("no models yet: train some with `ferflow run`, or check --store")
    shipped = shipped_facts()
    print_table("Models that ferflow ships", _SHIPPED_COLUMNS, _shipped_rows(shipped))
    click.echo(_LEGEND)
    if any(one.final_fit_of for one in shipped.values()):
        click.echo(_FINAL_LEGEND)
    return {
        "models": [model.model_dump(mode="json") for model in models],
        "shipped": {
            f"{BUNDLED}:{name}": {
                speed: one.model_dump(mode="json") for speed, one in facts.speeds.items()
            }
            for name, facts in shipped.items()
        },
        "warnings": warnings,
    }


def _shipped_rows(shipped: "Mapping[str, CommonFacts]") -> list[list[str]]:
    from fer_models.bundles.names import BUNDLED
    from fer_models.bundles.shipped import default_bundle

    default = default_bundle()
    rows = []
    for name, facts in shipped.items():
        mark = " *" if name == default else ""
        for speed, one in facts.speeds.items():
            found = one.accuracy.get("validation")
            accuracy = NOTHING if found is None else f"{100 * found.accuracy:.1f}"
            accuracy += _FINAL if found and facts.final_fit_of else ""
            rate = NOTHING if one.faces_per_s is None else f"{one.faces_per_s:,.0f}"
            cost = f"{one.multiply_adds / 1e6:,.0f}"
            rows.append([f"{BUNDLED}:{name}{mark}", speed, str(one.views), cost, rate, accuracy])
    return rows


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
