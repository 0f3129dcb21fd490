"""The mean of the weights of several networks."""

import numpy as np
import pytest
import torch

from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.averaging import average_networks
from fer_models.errors import ConfigError, DataError
from fer_models.evaluation.predictions import AVERAGED, final_fit_of, read_predictions
from fer_models.inference.export import write_bundle
from fer_models.inference.import_bundle import import_bundle
from fer_models.models.config import NetworkConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.final_fit import fit_final
from fer_models.training.inputs.data import split_images
from fer_models.training.predict import load_network, predict_probabilities
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import imported_network, stored_ensemble, stored_network
from tests.fer_models.training.faces import write_faces


@pytest.fixture
def models(store: ArtifactStore) -> list[ModelRef]:
    return [stored_network(store, seed) for seed in range(3)]


def test_weights_and_running_statistics_are_the_mean(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    made = average_networks(store, models, name="soup")
    states = [load_network(store, model)[0].state_dict() for model in models]
    for key, value in load_network(store, made)[0].state_dict().items():
        if value.is_floating_point():
            expected = sum(state[key].double() for state in states) / 3
            torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-7)
    assert made.name == "soup"
    assert made.id.startswith("soup-")
    assert store.read_json(made, "lineage.json")[AVERAGED] == [model.id for model in models]
    assert store.info(made)["train_seconds"] == pytest.approx(4.5)


def test_its_predictions_are_those_of_the_mean(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    made = average_networks(store, models[:2])
    snapshot = open_snapshot(store, store.ref(SnapshotRef, store.info(made)["snapshot_id"]))
    stored = read_predictions(store, snapshot, made)
    for split, found in stored.items():
        images = split_images(snapshot, split).images
        expected = predict_probabilities(*load_network(store, made), images)
        np.testing.assert_allclose(found.probs_NK, expected, atol=1e-6)
    assert store.info(made)["validation_accuracy"] == stored["validation"].correct.mean()
    assert average_networks(store, models[:2]).id == made.id
    assert average_networks(store, models[:2][::-1]).id != made.id


def test_what_cannot_be_averaged_is_refused_with_all_problems(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    both = stored_ensemble(store, models[:2])
    with pytest.raises(DataError) as caught:
        average_networks(store, [models[0], models[0], both])
    problems = " ".join(caught.value.problems)
    for part in ("given more than once", f"{both.id} is an ensemble"):
        assert part in problems
    with pytest.raises(DataError) as caught:
        average_networks(store, models[:1])
    assert "at least two" in caught.value.problems[0]


def test_other_networks_and_other_data_are_refused(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    wide = MemberConfig(name="wide", network=NetworkConfig(width=0.5))
    with pytest.raises(DataError) as caught:
        average_networks(store, [models[0], stored_network(store, 7, wide), models[1]])
    assert caught.value.problems == ("wide-7 is another network: width 0.5, not 0.25",)
    large = MemberConfig(name="large", network=NetworkConfig(width=0.25, image_size_px=64))
    with pytest.raises(DataError) as caught:
        average_networks(store, [models[0], stored_network(store, 8, large)])
    assert caught.value.problems == ("large-8 has other inputs: 64 px, not 48 px",)
    write_bundle(store, models[0], store.local_root / "out", name="same")
    other = write_faces(store, seed=3)
    elsewhere = import_bundle(store, str(store.local_root / "out" / "same.json"), other)
    with pytest.raises(DataError) as caught:
        average_networks(store, [models[0], elsewhere])
    assert "different snapshots" in caught.value.problems[0]


def test_an_average_with_final_fits_is_the_final_fit_of_the_average(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    first, second, third = models
    final = build_final_fit(store, first, network=third)
    made = average_networks(store, [final, second], name="soup")
    base = average_networks(store, [first, second], name="soup")
    assert final_fit_of(store, made) == base.id
    assert (made.name, base.name) == ("soup-final", "soup")
    assert store.info(made)["validation_accuracy"] is None
    snapshot = open_snapshot(store, store.ref(SnapshotRef, store.info(made)["snapshot_id"]))
    assert len(read_predictions(store, snapshot, made, ["test"])["test"].labels) == 21
    with pytest.raises(DataError, match="is the final fit of"):
        read_predictions(store, snapshot, made)
    mean = average_networks(store, [third, second])
    for key, value in load_network(store, made)[0].state_dict().items():
        assert torch.equal(value, load_network(store, mean)[0].state_dict()[key])


def test_averaged_and_imported_networks_have_no_final_fit(
    store: ArtifactStore, models: list[ModelRef]
) -> None:
    imported = imported_network(store, models[0])
    averaged = average_networks(store, models)
    for model, how in ((imported, "imported"), (averaged, "averaged")):
        with pytest.raises(ConfigError, match=f"{model.id} was {how}"):
            fit_final(store, model, TrackingConfig(mode="disabled"))
