"""Tests that need a CUDA device; they run with `fer_models` and pytest only (--noconftest)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fer_models.errors import TrainingError
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.training.config import MemberConfig
from fer_models.training.engine.cuda_graphs import GraphedForward
from fer_models.training.engine.fit import TrainedNetwork, fit
from fer_models.training.engine.results import EpochResult
from fer_models.training.inputs.data import SplitImages, TrainingData
from fer_models.training.optim.muon import orthogonalize, orthogonalize_batched
from tests.fer_models.training.faces import pattern_images

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


class InterruptedHereError(Exception):
    """Simulates the interruption of a training."""


def member(*, cuda_graph: bool) -> MemberConfig:
    training = {
        "epochs": 4,
        "batch_size": 64,
        "optimizer": "muon",
        "learning_rate": 0.02,
        "auxiliary_head_weight": 1.0,
        "start_size_px": 32,
        "cuda_graph": cuda_graph,
        "augment": {"flip": False, "erase": 0.3},
    }
    network = {"name": "face_cnn", "width": 0.33, "dropout": 0.2}
    return MemberConfig.model_validate({"name": "g", "network": network, "training": training})


def stripes() -> TrainingData:
    # Not a multiple of the batch size: the last batch does not use a CUDA graph.
    labels = np.arange(300) % NUM_CLASSES
    votes = np.zeros((300, len(VOTE_COLUMNS)), np.float32)
    votes[:, 0] = 10
    images = pattern_images(labels, 0)
    return TrainingData(
        SplitImages(images[:230], labels[:230], votes[:230]),
        SplitImages(images[230:], labels[230:], votes[230:]),
    )


def nothing(_: EpochResult) -> None:
    pass


def losses(trained: TrainedNetwork) -> list[float]:
    return [value for epoch in trained.curve for value in (epoch.train_loss, epoch.validation_loss)]


def test_cuda_graphs_train_like_eager_mode() -> None:
    plain = fit(stripes(), member(cuda_graph=False), 0, nothing)
    graphed = fit(stripes(), member(cuda_graph=True), 0, nothing)
    assert losses(graphed) == pytest.approx(losses(plain), rel=1e-2)
    assert graphed.best.validation_accuracy > 0.5


def test_a_resumed_training_with_cuda_graphs_gives_the_same_losses(tmp_path: Path) -> None:
    def stop(result: EpochResult) -> None:
        if result.epoch == 2:
            raise InterruptedHereError

    uninterrupted = fit(stripes(), member(cuda_graph=True), 0, nothing)
    checkpoint = tmp_path / "last.ckpt"
    with pytest.raises(InterruptedHereError):
        fit(stripes(), member(cuda_graph=True), 0, stop, checkpoint)
    resumed = fit(stripes(), member(cuda_graph=True), 0, nothing, checkpoint)
    assert losses(resumed) == pytest.approx(losses(uninterrupted), rel=1e-2)


def test_capturing_changes_neither_running_statistics_nor_random_state() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5))
    network = network.append(nn.Linear(4 * 36, NUM_CLASSES)).cuda()
    images = torch.randn(64, 1, 8, 8, device="cuda")
    torch.manual_seed(0)
    network(images)
    expected = network[1].running_mean.clone(), torch.rand(1, device="cuda")
    network[1].reset_running_stats()
    torch.manual_seed(0)
    GraphedForward(network, member(cuda_graph=True), with_features=True)(images)
    torch.testing.assert_close(network[1].running_mean, expected[0])
    torch.testing.assert_close(torch.rand(1, device="cuda"), expected[1])


def test_batched_orthogonalization_equals_one_by_one() -> None:
    generator = torch.Generator("cuda").manual_seed(0)
    shapes = [(16, 40), (40, 16), (32, 32), (64, 576)]
    matrices = [torch.randn(*s, generator=generator, device="cuda") for s in shapes]
    for batched, matrix in zip(orthogonalize_batched(matrices), matrices, strict=True):
        torch.testing.assert_close(batched, orthogonalize(matrix), atol=0.03, rtol=0.05)


class ValueReader(nn.Module):
    """Reads a tensor's value on the CPU, which can't be captured."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :NUM_CLASSES] * float(images.sum())


def test_a_network_that_cannot_be_captured_says_what_to_set() -> None:
    images = torch.randn(64, 1, 8, 8, device="cuda")
    graphed = GraphedForward(ValueReader(), member(cuda_graph=True), with_features=False)
    with pytest.raises(TrainingError, match=r"set training\.cuda_graph=false"):
        graphed(images)
