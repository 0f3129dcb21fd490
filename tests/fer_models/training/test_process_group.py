import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import ConfigError
from fer_models.ray_cluster import Demand, require_room
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.inputs.batches import EvalBatches, TrainBatches, batch_bounds
from fer_models.training.inputs.data import SplitImages
from fer_models.training.process_group import ProcessGroup
from tests.fer_models.training.inputs.test_batches import preprocessing, random_images

CPU = torch.device("cpu")


@given(st.integers(1, 5), st.integers(2, 40), st.integers(10, 400))
def test_every_process_gets_two_images_of_every_batch(
    workers: int, images_a_worker: int, num_images: int
) -> None:
    bounds = batch_bounds(num_images, workers * images_a_worker, workers)
    assert [bounds[0][0], bounds[-1][1]] == [0, num_images]
    for start, stop in bounds:
        shares = [
            len(range(start, stop)[ProcessGroup(rank, workers).rows]) for rank in range(workers)
        ]
        assert sum(shares) == stop - start
        assert max(shares) - min(shares) <= 1
        assert min(shares) >= 2


def epoch_of(group: ProcessGroup, epoch: int = 3) -> list[tuple[torch.Tensor, torch.Tensor]]:
    batches = TrainBatches(
        SplitImages(random_images(31), np.arange(31)),
        preprocessing(),
        torch.arange(31),
        config=TrainingConfig(
            batch_size=8, workers=group.world_size, augment=AugmentConfig(erase=0.5)
        ),
        seed=0,
        epoch=lambda: epoch,
        device=CPU,
        group=group,
    )
    assert len(batches) == len(list(batches))
    return list(batches)


def test_processes_divide_the_batches_of_a_single_process() -> None:
    single = [set(labels.tolist()) for _, labels in epoch_of(ProcessGroup())]
    parts = [[set(labels.tolist()) for _, labels in epoch_of(ProcessGroup(r, 3))] for r in range(3)]
    # The last batch of 7 images is enough for three processes: the batches are the same.
    assert [a | b | c for a, b, c in zip(*parts, strict=True)] == single
    assert all(not (a & b or b & c or a & c) for a, b, c in zip(*parts, strict=True))


def test_every_process_has_its_own_repeatable_augmentation() -> None:
    first, again = epoch_of(ProcessGroup(1, 2)), epoch_of(ProcessGroup(1, 2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    other = epoch_of(ProcessGroup(0, 2))
    assert not torch.equal(first[0][0][:1], other[0][0][:1])


def test_validation_covers_every_image_once_over_all_processes() -> None:
    split = SplitImages(random_images(7), np.arange(7))
    labels = [
        batch.tolist()
        for rank in range(3)
        for _, batch in EvalBatches(
            split, preprocessing(), batch_size=2, device=CPU, group=ProcessGroup(rank, 3)
        )
    ]
    assert labels == [[0, 3], [6], [1, 4], [2, 5]]


NODES = [{"CPU": 2.0}, {"CPU": 3.0, "GPU": 1.0}, {"memory": 1.0}]


def demand(pieces: int, cpus: float, gpus: float = 0.0, more_cpus: float = 0.0) -> Demand:
    return Demand("it", "ask for less", pieces, cpus, gpus, more_cpus)


@pytest.mark.parametrize(
    "fits",
    [demand(5, 1), demand(2, 2), demand(10, 0.5), demand(1, 3, 1), demand(4, 1, more_cpus=1)],
)
def test_a_demand_that_fits_on_the_nodes_is_accepted(fits: Demand) -> None:
    require_room(fits, NODES)


@pytest.mark.parametrize(
    "large",
    [demand(6, 1), demand(3, 2), demand(1, 4), demand(2, 1, 1), demand(5, 1, more_cpus=0.5)],
)
def test_a_demand_that_can_never_be_placed_is_rejected(large: Demand) -> None:
    with pytest.raises(ConfigError, match=r"it requests .*2 \+ 0, 3 \+ 1.*ask for less"):
        require_room(large, NODES)


def test_min_workers_above_workers_is_rejected() -> None:
    with pytest.raises(ValueError, match="at most workers=2, got 3"):
        TrainingConfig(workers=2, min_workers=3)
