from typing import Any

import pytest
import torch
from torch import nn

from fer_models.labels import NUM_CLASSES
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.engine.cuda_graphs import GraphedForward, can_graph, forward_pass
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces


def with_graph(**training: Any) -> MemberConfig:
    settings = MEMBER.training.model_copy(update={"cuda_graph": True, **training})
    return MEMBER.model_copy(update={"training": settings})


def test_a_training_that_changes_its_passes_is_not_captured() -> None:
    assert can_graph(with_graph())
    assert not can_graph(MEMBER)
    assert not can_graph(with_graph(workers=2))
    assert not can_graph(with_graph(frozen_epochs=1))
    assert not can_graph(with_graph(accumulate=2))
    checkpointed = MEMBER.network.model_copy(update={"gradient_checkpointing": True})
    assert not can_graph(with_graph().model_copy(update={"network": checkpointed}))


def test_forward_pass_returns_logits_and_the_classifier_input() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, NUM_CLASSES))
    images = torch.randn(3, 1, 8, 8)
    logits, features = forward_pass(network, images, with_features=True)
    torch.testing.assert_close(network[3](features), logits)
    torch.testing.assert_close(network[:3](images), features)
    assert len(forward_pass(network, images, with_features=False)) == 1


def test_a_partial_batch_runs_without_a_cuda_graph() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, NUM_CLASSES))
    images = torch.randn(MEMBER.training.batch_size - 1, 1, 8, 8)
    (logits,) = GraphedForward(network, with_graph(), with_features=False)(images)
    torch.testing.assert_close(logits, network(images))


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_the_setting_changes_nothing_on_a_cpu(store: ArtifactStore, trained: Trained) -> None:
    model = train_member(store, write_faces(store), with_graph(), 3, UNTRACKED)
    assert model.id == trained.model.id
