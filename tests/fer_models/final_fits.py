"""Final fits without a training."""

import json

import numpy as np

from fer_models.dataset.snapshot import open_snapshot
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_probabilities, npz


def build_final_fit(
    store: ArtifactStore, model: ModelRef, skill: float = 2.0, network: ModelRef | None = None
) -> ModelRef:
    """A final fit without a training: files of a network, and predictions of test images alone.

    Args:
        store: holds the models.
        model: that is repeated.
        skill: of the predictions.
        network: whose files it has; the model's by default.
    """
    info, files = store.info(model), store.describe(network or model).files
    own = ("probabilities.npz", "lineage.json", "curve.csv")
    opened = open_snapshot(store, store.ref(SnapshotRef, info["snapshot_id"]))
    test = draw_probabilities(
        opened.labels(opened.positions("test")), skill, int(info["seed"]) + 50
    )
    lineage = store.read_json(model, "lineage.json") | {"final_fit_of": model.id}
    name = f"{model.name}-final"
    return store.put(
        ModelRef,
        f"{name}-{model.id.rpartition('-')[2]}",
        {
            "probabilities.npz": npz(test=test.astype(np.float32)),
            "lineage.json": json.dumps(lineage).encode(),
        },
        {**info, "name": name, "validation_accuracy": None, "final_fit_of": model.id},
        {file: entry for file, entry in files.items() if file not in own},
        name=name,
        kind="network",
    )
