"""Starting from the weights of a stored model."""

from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fer_models.errors import ConfigError, StoreError
from fer_models.models.config import NetworkConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.checkpoint_dir import training_key
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.train import train_member
from tests.fer_models.training.faces import write_faces

_TRACKING = TrackingConfig(mode="disabled")


def _member(learning_rate: float = 0.003, width: float = 0.25) -> MemberConfig:
    return MemberConfig(
        name="small",
        network=NetworkConfig(name="scratch_mlp", width=width),
        training=TrainingConfig(epochs=1, precision="32-true", learning_rate=learning_rate),
    )


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return write_faces(store)


@pytest.fixture
def first(store: ArtifactStore, snapshot: SnapshotRef) -> ModelRef:
    return train_member(store, snapshot, _member(), 0, _TRACKING)


def _weights(store: ArtifactStore, model: ModelRef) -> dict[str, torch.Tensor]:
    return dict(load_file(store.fetch(model, "weights.safetensors")))


def test_a_training_starts_from_the_given_weights(
    store: ArtifactStore, snapshot: SnapshotRef, first: ModelRef
) -> None:
    # With hardly any learning the weights stay where they started.
    still = _member(learning_rate=1e-9)
    warm = train_member(store, snapshot, still, 1, _TRACKING, initial=first)
    cold = train_member(store, snapshot, still, 1, _TRACKING)
    expected = _weights(store, first)
    for name, value in _weights(store, warm).items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=0)
    assert any(
        not torch.allclose(value, expected[name], atol=1e-3)
        for name, value in _weights(store, cold).items()
    )
    assert warm.id != cold.id
    assert store.read_json(warm, "lineage.json")["initial"] == first.id
    assert store.read_json(cold, "lineage.json")["initial"] is None


def test_the_checkpoint_belongs_to_the_initial_weights(
    store: ArtifactStore, snapshot: SnapshotRef, first: ModelRef
) -> None:
    other = first.model_copy(update={"id": "small-other"})
    keys = {training_key(snapshot, _member(), 0, (), initial) for initial in (None, first, other)}
    assert len(keys) == 3


def test_another_network_is_rejected(
    store: ArtifactStore, snapshot: SnapshotRef, first: ModelRef
) -> None:
    wider = _member(width=0.5)
    with pytest.raises(ConfigError, match=r"width 0\.25, not 0\.5.* or leave `initial` out"):
        train_member(store, snapshot, wider, 0, _TRACKING, initial=first)
    train_member(store, snapshot, wider, 0, _TRACKING)


def test_convolutions_go_on_at_another_input_size(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    small, large = (
        MemberConfig(
            name="small",
            network=NetworkConfig(name="compact_cnn", width=0.25, image_size_px=size_px),
            training=TrainingConfig(epochs=1, precision="32-true", learning_rate=1e-9),
        )
        for size_px in (32, 48)
    )
    first = train_member(store, snapshot, small, 0, _TRACKING)
    second = train_member(store, snapshot, large, 0, _TRACKING, initial=first)
    assert store.read_json(second, "preprocessing.json")["image_size_px"] == 48
    expected = _weights(store, first)["head.3.weight"]
    torch.testing.assert_close(_weights(store, second)["head.3.weight"], expected)


def test_weights_of_another_input_size_are_rejected_where_they_depend_on_it(
    store: ArtifactStore, snapshot: SnapshotRef, first: ModelRef
) -> None:
    network = NetworkConfig(name="scratch_mlp", width=0.25, image_size_px=32)
    smaller = _member().model_copy(update={"network": network})
    with pytest.raises(ConfigError, match="image_size_px 48, not 32"):
        train_member(store, snapshot, smaller, 0, _TRACKING, initial=first)


def test_a_missing_model_is_reported(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    missing = store.ref(ModelRef, "gone-1", name="gone")
    with pytest.raises(StoreError, match="gone-1"):
        train_member(store, snapshot, _member(), 0, _TRACKING, initial=missing)


def test_initial_weights_survive_distillation(
    store: ArtifactStore, snapshot: SnapshotRef, first: ModelRef, monkeypatch: Any
) -> None:
    from fer_models.training import resumable

    seen: list[Any] = []
    original = resumable.fit

    def spy(data: Any, *arguments: Any) -> Any:
        seen.append(data)
        return original(data, *arguments)

    monkeypatch.setattr(resumable, "fit", spy)
    student = _member().model_copy(update={"name": "student", "teachers": ("small",)})
    train_member(store, snapshot, student, 0, _TRACKING, teachers=(first,), initial=first)
    assert seen[0].initial_weights is not None
    assert seen[0].train.teacher_probs_NK is not None
