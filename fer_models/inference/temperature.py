"""The temperatures that calibrate a stored network for whoever predicts new images with it.

Training and evaluation keep a network's own probabilities. An ensemble has a temperature of its
own, as part of its combination. With fewer views a network is more sure of itself, so each number
of views needs its own temperature.
"""

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import FerError
from fer_models.evaluation.predictions import (
    model_preprocessing,
    read_predictions,
    selected_model,
)
from fer_models.evaluation.temperature import TEMPERATURES, reliable_temperature
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.inputs.tta import NUM_VIEWS


def stored_temperatures(store: ArtifactStore, network: ModelRef) -> dict[int, float]:
    """The temperatures of a stored network by number of views; empty: it is not calibrated.

    They were fitted to the validation images when the network was stored. That of a network of an
    earlier version is fitted to its stored predictions, which are with all its views. A final fit
    has the temperatures of the model that it repeats.

    Raises:
        StoreError: the network is missing or damaged.
    """
    info = store.info(network)
    try:
        selected = selected_model(store, network)
        recorded = store.info(selected).get(TEMPERATURES)
        if recorded is not None:
            return {int(number): float(found) for number, found in recorded.items()}
        snapshot = open_snapshot(store, store.ref(SnapshotRef, info["snapshot_id"]))
        validation = read_predictions(store, snapshot, selected, ("validation",))["validation"]
    except FerError:
        return {}
    temperature = reliable_temperature(validation.probs_NK, validation.labels)
    if temperature is None:
        return {}
    return {NUM_VIEWS[model_preprocessing(store, network).get("tta", "none")]: temperature}
