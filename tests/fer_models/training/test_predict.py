import io

import numpy as np
import pytest
import torch

from fer_models.combination.rules import MajorityRule, MeanRule, Rule, StackingRule
from fer_models.combination.stored import (
    Combination,
    StoredMember,
    combination_files,
    read_combination,
    weights_sha256,
)
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import StoreError
from fer_models.evaluation.temperature import apply_temperature
from fer_models.storage.refs import ModelRef
from fer_models.training.predict import load_network, predict_model, predict_probabilities
from tests.fer_models.training.conftest import Trained


def validation_images(trained: Trained) -> np.ndarray:
    snapshot = open_snapshot(trained.store, trained.snapshot)
    return np.asarray(snapshot.images[snapshot.positions("validation")])


def stored_probabilities(trained: Trained) -> np.ndarray:
    data = trained.store.read_file(trained.model, "probabilities.npz")
    return np.load(io.BytesIO(data))["validation"]


def test_a_stored_network_reproduces_its_stored_probabilities(trained: Trained) -> None:
    probs = predict_model(trained.store, trained.model, validation_images(trained))
    np.testing.assert_array_equal(probs, stored_probabilities(trained))


def test_probabilities_do_not_depend_on_the_batch_size(trained: Trained) -> None:
    network, preprocessing = load_network(trained.store, trained.model)
    images = validation_images(trained)
    one_by_one = predict_probabilities(network, preprocessing, images, batch_size=1)
    np.testing.assert_allclose(one_by_one, stored_probabilities(trained), atol=1e-5)


class _NotesBatchSizes(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        return torch.zeros(len(images), 7)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU takes larger batches")
@pytest.mark.parametrize(("size_px", "expected"), [(48, [64, 36]), (96, [16] * 6 + [4])])
def test_large_images_are_predicted_in_small_batches(
    trained: Trained, size_px: int, expected: list[int]
) -> None:
    _, preprocessing = load_network(trained.store, trained.model)
    network = _NotesBatchSizes()
    images = np.zeros((100, 48, 48), np.uint8)
    predict_probabilities(network, {**preprocessing, "image_size_px": size_px}, images)
    assert network.sizes == expected


class _ThreadsAsLogits(torch.nn.Module):
    """Encodes the number of threads in its output: p / (1 - p) of the first class."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(images), 7), -torch.inf)
        logits[:, 0] = float(np.log(torch.get_num_threads()))
        logits[:, 1] = 0.0
        return logits


@pytest.mark.parametrize("threads", [1, 3])
def test_prediction_uses_the_given_number_of_threads(trained: Trained, threads: int) -> None:
    before = torch.get_num_threads()
    _, preprocessing = load_network(trained.store, trained.model)
    images = validation_images(trained)[:1]
    probs = predict_probabilities(_ThreadsAsLogits(), preprocessing, images, threads=threads)
    assert probs[0, 0] / probs[0, 1] == pytest.approx(threads)
    assert torch.get_num_threads() == before


def test_no_images_give_no_rows(trained: Trained) -> None:
    images = validation_images(trained)[:0]
    assert predict_model(trained.store, trained.model, images).shape == (0, 7)


def ensemble(trained: Trained, rule: Rule, temperature: float = 1.0) -> ModelRef:
    combination = Combination(method="any", rule=rule, temperature=temperature)
    member = StoredMember(
        model_id=trained.model.id,
        name=trained.model.name,
        weights_sha256=weights_sha256(trained.store, trained.model),
    )
    files = combination_files(combination, [member] * rule.num_members)
    name = f"ensemble-{rule.kind}-{temperature}"
    return trained.store.put(ModelRef, name, files, {}, name=name, kind="ensemble")


_COEFFICIENTS = np.random.default_rng(0).normal(size=(7, 2, 7)).round(4)


@pytest.mark.parametrize(
    "rule",
    [
        MeanRule(weights=(0.25, 0.75)),
        MajorityRule(num_members=2),
        StackingRule(coefficients=_COEFFICIENTS.tolist(), intercepts=(0.1,) * 7),
    ],
)
def test_an_ensemble_combines_the_predictions_of_its_members(trained: Trained, rule: Rule) -> None:
    model = ensemble(trained, rule, temperature=1.5)
    found = predict_model(trained.store, model, validation_images(trained))
    stored_MNK = np.stack([stored_probabilities(trained)] * 2)
    combination, _ = read_combination(trained.store, model)
    np.testing.assert_array_equal(found, combination.predict(stored_MNK))
    expected = apply_temperature(rule.combine(stored_MNK.astype(np.float64)), 1.5)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_an_ensemble_has_no_network_to_load(trained: Trained) -> None:
    with pytest.raises(StoreError, match="predict_model"):
        load_network(trained.store, ensemble(trained, MeanRule(weights=(1.0,))))
