"""What only a CUDA device can show; the file needs `fer_models` and pytest alone (--noconftest)."""

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
from fer_models.training.optim.muon import orthogonalised, orthogonalised_together
from tests.fer_models.training.faces import pattern_images

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


class InterruptedHereError(Exception):
    """Stands for whatever ends a training half-way."""


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
    # Not a multiple of the batch size: the last batch is not a recorded one.
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


def losses(fitted: TrainedNetwork) -> list[float]:
    return [value for epoch in fitted.curve for value in (epoch.train_loss, epoch.validation_loss)]


def test_recorded_passes_train_as_plain_ones_do() -> None:
    plain = fit(stripes(), member(cuda_graph=False), 0, nothing)
    recorded = fit(stripes(), member(cuda_graph=True), 0, nothing)
    assert losses(recorded) == pytest.approx(losses(plain), rel=1e-2)
    assert recorded.best.validation_accuracy > 0.5


def test_a_training_with_recordings_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    def stop(result: EpochResult) -> None:
        if result.epoch == 2:
            raise InterruptedHereError

    whole = fit(stripes(), member(cuda_graph=True), 0, nothing)
    checkpoint = tmp_path / "last.ckpt"
    with pytest.raises(InterruptedHereError):
        fit(stripes(), member(cuda_graph=True), 0, stop, checkpoint)
    resumed = fit(stripes(), member(cuda_graph=True), 0, nothing, checkpoint)
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-2)


def test_recording_leaves_statistics_and_random_numbers_alone() -> None:
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


def test_all_kernels_are_turned_as_each_alone() -> None:
    generator = torch.Generator("cuda").manual_seed(0)
    shapes = [(16, 40), (40, 16), (32, 32), (64, 576)]
    matrices = [torch.randn(*s, generator=generator, device="cuda") for s in shapes]
    for together, matrix in zip(orthogonalised_together(matrices), matrices, strict=True):
        torch.testing.assert_close(together, orthogonalised(matrix), atol=0.03, rtol=0.05)


class Looking(nn.Module):
    """Asks the device for a number, which no recording can hold."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :NUM_CLASSES] * float(images.sum())


def test_a_network_that_cannot_be_recorded_says_what_to_set() -> None:
    images = torch.randn(64, 1, 8, 8, device="cuda")
    recorded = GraphedForward(Looking(), member(cuda_graph=True), with_features=False)
    with pytest.raises(TrainingError, match=r"set training\.cuda_graph=false"):
        recorded(images)
