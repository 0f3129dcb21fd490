import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.batches import TrainBatches
from fer_models.training.inputs.data import preprocessing_for, training_data
from fer_models.training.inputs.progressive_resizing import (
    epoch_size_px,
    num_resizing_epochs,
    require_start_size,
)
from fer_models.training.objective.targets import training_targets
from tests.fer_models.training.conftest import MEMBER, Trained


@given(st.integers(1, 60), st.integers(0, 64), st.integers(16, 64), st.floats(0.01, 1))
def test_sizes_never_shrink_and_end_at_the_full_size(
    epochs: int, start_px: int, full_px: int, resizing_fraction: float
) -> None:
    config = TrainingConfig(
        epochs=epochs, start_size_px=start_px, resizing_fraction=resizing_fraction
    )
    sizes = [epoch_size_px(config, full_px, epoch) for epoch in range(epochs)]
    assert sizes == sorted(sizes)
    assert all(size == full_px or start_px <= size < full_px for size in sizes)
    resizing = [epoch for epoch, size in enumerate(sizes) if size < full_px]
    assert len(resizing) <= resizing_fraction * epochs + 1
    assert sizes[-1] == full_px
    member = MemberConfig(
        name="resized", network=NetworkConfig(image_size_px=full_px), training=config
    )
    assert num_resizing_epochs(member) == len(resizing)


def test_the_resizing_epochs_are_divided_equally_between_the_sizes() -> None:
    config = TrainingConfig(epochs=10, start_size_px=32, resizing_fraction=0.6)
    sizes = [epoch_size_px(config, 48, epoch) for epoch in range(10)]
    assert sizes == [32] * 3 + [40] * 3 + [48] * 4


def test_batches_have_the_size_of_their_epoch(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    config = TrainingConfig(epochs=2, start_size_px=32, resizing_fraction=0.5)
    epoch = 0
    batches = TrainBatches(
        data.train,
        preprocessing_for(NetworkConfig(), data.train.images),
        training_targets(data.train, config),
        config=config,
        seed=0,
        epoch=lambda: epoch,
        device=torch.device("cpu"),
    )
    assert {inputs.shape[-2:] for inputs, _ in batches} == {(32, 32)}
    epoch = 1
    assert {inputs.shape[-2:] for inputs, _ in batches} == {(48, 48)}


def test_epochs_on_small_images_are_never_kept(trained: Trained) -> None:
    data = training_data(open_snapshot(trained.store, trained.snapshot))
    update = {"epochs": 3, "start_size_px": 32, "resizing_fraction": 0.6}
    member = MEMBER.model_copy(
        update={"training": MEMBER.training.model_copy(update=update)},
    )
    trained_network = fit(data, member, 0, lambda _: None)
    assert num_resizing_epochs(member) == 2
    assert len(trained_network.curve) == 3
    assert trained_network.best.epoch == 3
    assert trained_network.preprocessing["image_size_px"] == 48


@pytest.mark.parametrize(
    ("name", "start_px", "message"),
    [
        ("scratch_mlp", 32, "can't take 32 px images"),
        ("compact_cnn", 64, "larger than network.image_size_px, 48"),
    ],
)
def test_a_start_size_that_the_network_cannot_take_is_rejected(
    name: str, start_px: int, message: str
) -> None:
    training = MEMBER.training.model_copy(update={"start_size_px": start_px})
    network = NetworkConfig(name=name)
    member = MEMBER.model_copy(update={"training": training, "network": network})
    with pytest.raises(ConfigError, match=message) as raised:
        require_start_size(build_network(network), member)
    assert "training.start_size_px" in str(raised.value)
