"""`ferflow models import`: store the model of a weight bundle."""

import click

from deployments.cli.latest import find_snapshot
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from fer_models.storage.latest import recall
from fer_models.storage.refs import SnapshotRef

_NOTES = {
    True: "trained on the training images of this snapshot",
    False: "trained on other data; the accuracy is too good if that has some of these images",
}


@click.command(name="import")
@click.argument("bundle")
@click.option(
    "--snapshot",
    "snapshot_id",
    metavar="ID",
    help="Split snapshot whose held-out images are predicted.  [default: the latest one]",
)
@store_option
@reporting
def import_model(bundle: str, snapshot_id: str | None, store_url: str | None) -> Produced:
    """Store the model of BUNDLE: `bundled`, `bundled:NAME` or a bundle's .json file.

    It predicts the held-out images of the data, and is then a model like those trained here: it can
    be compared, promoted, and combined by `ferflow task ensemble --model ID --model ID`. The
    networks of an ensemble are stored, too.

    Unless it was trained on that data, its training images are not known here. If some of the
    held-out images were among them, its accuracy is too good.
    """
    from fer_models.evaluation.predictions import networks_of
    from fer_models.inference.import_bundle import import_bundle

    store = open_store(store_url)
    if snapshot_id is None:
        snapshot = recall(store, "split", SnapshotRef)
    else:
        snapshot = find_snapshot(store, snapshot_id)
    with progress_display():
        model = import_bundle(store, bundle, snapshot)
    info, networks = store.info(model), [one.id for one in networks_of(store, model)]
    print_facts(
        {
            "model": model.id,
            **({"networks": ", ".join(networks)} if networks != [model.id] else {}),
            "validation": f"{100 * info['validation_accuracy']:.2f} %",
            "note": _NOTES[store.read_json(model, "lineage.json")["dataset_sha"] == snapshot.id],
            "next": f"ferflow models compare champion {model.id}",
        }
    )
    return {"model": model.id, "networks": networks, "snapshot": snapshot.id, "info": info}
