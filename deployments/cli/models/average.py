"""`ferflow models average`: one network with the mean of the weights of several."""

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from fer_models.inference.open_model import stored_model


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--name", default="", help="Name of the average.  [default: the first network's]")
@store_option
@reporting
def average(models: tuple[str, ...], name: str, store_url: str | None) -> Produced:
    """Store the mean of the weights of MODELS, networks of one architecture, as a network.

    Networks that were trained on from the same weights (`ferflow task train --initial`) often have
    a mean that is as good as their ensemble and costs as much as one of them. The mean of networks
    that were trained from different random weights is useless; the accuracy shows it. With final
    fits among them it is a final fit, too: of the average of the networks that they repeat, whose
    accuracy is shown.
    """
    from fer_models.ensembling.averaging import average_networks
    from fer_models.evaluation.predictions import selected_model

    store = open_store(store_url)
    parts = [stored_model(store, model) for model in models]
    with progress_display():
        made = average_networks(store, parts, name)
    measured = [selected_model(store, one) for one in (*parts, made)]
    accuracies = {one.id: float(store.info(one)["validation_accuracy"]) for one in measured}
    rows = [
        [f"{one}{' (average)' if one == measured[-1].id else ''}", f"{100 * value:.2f}"]
        for one, value in accuracies.items()
    ]
    print_table("Averaged", ["model", "validation in %"], rows)
    print_facts({"model": made.id, "next": f"ferflow models compare {parts[0].id} {made.id}"})
    return {"model": made.id, "validation_accuracy": accuracies}
