import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn import functional

from fer_models.labels import CLASS_NAMES
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.inputs.augment import _affine_grid, augment
from fer_models.training.inputs.batches import TrainBatches, as_float, batch_bounds, to_inputs
from fer_models.training.inputs.data import Preprocessing, SplitImages, grey_statistics
from fer_models.training.optim.optimizer import lr_factor

NO_CHANGE = AugmentConfig(
    flip=False, rotate_deg=0, shift=0, scale=0, brightness=0, contrast=0, erase=0
)


def preprocessing(size: int = 48, channels: int = 1) -> Preprocessing:
    return Preprocessing(
        image_size_px=size, in_channels=channels, mean=0.5, std=0.25, classes=list(CLASS_NAMES)
    )


def random_images(num: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, 48, 48), dtype=np.uint8)


@given(st.integers(2, 400), st.integers(2, 70))
def test_batches_cover_every_image_and_have_at_least_two(num_images: int, batch_size: int) -> None:
    bounds = batch_bounds(num_images, batch_size)
    covered = [i for start, stop in bounds for i in range(start, stop)]
    assert covered == list(range(num_images))
    assert all(2 <= stop - start <= batch_size + 1 for start, stop in bounds)


def epoch_of(number: int, seed: int = 0) -> list[torch.Tensor]:
    images = random_images(30)
    batches = TrainBatches(
        SplitImages(images, np.arange(30)),
        preprocessing(),
        torch.arange(30),
        config=TrainingConfig(batch_size=8, augment=AugmentConfig(erase=0.5)),
        seed=seed,
        epoch=lambda: number,
        device=torch.device("cpu"),
    )
    assert len(batches) == len(list(batches))
    return [tensor for batch in batches for tensor in batch]


def test_an_epoch_depends_on_seed_and_number_only() -> None:
    again = zip(epoch_of(3), epoch_of(3), strict=True)
    assert all(torch.equal(a, b) for a, b in again)
    assert not torch.equal(epoch_of(3)[1], epoch_of(4)[1])
    assert not torch.equal(epoch_of(3)[1], epoch_of(3, seed=1)[1])
    labels = torch.cat(epoch_of(5)[1::2])
    assert sorted(labels.tolist()) == list(range(30))


def test_disabled_augmentation_changes_nothing() -> None:
    images = as_float(torch.tensor(random_images(4)))
    changed = augment(images, NO_CHANGE, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed, images)


def test_flip_mirrors_some_images_and_keeps_the_others() -> None:
    images = as_float(torch.tensor(random_images(40)))
    config = NO_CHANGE.model_copy(update={"flip": True})
    changed = augment(images, config, torch.Generator().manual_seed(0))
    mirrored = [
        torch.allclose(a, b.flip(-1), atol=1e-4) for a, b in zip(changed, images, strict=True)
    ]
    kept = [torch.allclose(a, b, atol=1e-4) for a, b in zip(changed, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 10 < sum(mirrored) < 30


def test_augmented_images_stay_within_0_and_1() -> None:
    images = as_float(torch.tensor(random_images(16)))
    config = AugmentConfig(rotate_deg=40, brightness=0.9, contrast=0.9, erase=1)
    changed = augment(images, config, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert 0 <= changed.min() <= changed.max() <= 1


def test_erase_sets_a_box_to_grey() -> None:
    images = torch.zeros(8, 1, 48, 48)
    config = NO_CHANGE.model_copy(update={"erase": 1.0})
    changed = augment(images, config, torch.Generator().manual_seed(0))
    share = changed.eq(0.5).float().mean((1, 2, 3))
    assert (share > 0.15**2 * 0.7).all()
    assert (share < 0.4**2 * 1.3).all()


@pytest.mark.parametrize(("size", "channels"), [(48, 1), (48, 3), (96, 3), (32, 1)])
def test_inputs_have_the_shape_of_the_network_input(size: int, channels: int) -> None:
    images = as_float(torch.full((2, 48, 48), 255, dtype=torch.uint8))
    inputs = to_inputs(images, preprocessing(size, channels))
    assert inputs.shape == (2, channels, size, size)
    torch.testing.assert_close(inputs, torch.full_like(inputs, 2.0))


def test_grey_statistics_equal_numpys() -> None:
    images = random_images(50)
    mean, std = grey_statistics(images)
    assert mean == pytest.approx((images / 255).mean())
    assert std == pytest.approx((images / 255).std())


def test_constant_images_have_a_positive_standard_deviation() -> None:
    _, std = grey_statistics(np.full((3, 48, 48), 7, np.uint8))
    assert std == pytest.approx(1 / 255)


@given(st.integers(1, 300), st.floats(0.01, 0.8))
@example(3, 0.75)
def test_learning_rate_rises_then_falls(num_steps: int, warmup: float) -> None:
    factors = [lr_factor("cosine", step, num_steps, warmup) for step in range(num_steps + 1)]
    assert all(0 < factor <= 1 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert factors[num_steps] < 1e-3 or num_steps < 3


def test_a_trapezoid_stays_at_the_peak_before_it_decays() -> None:
    factors = [lr_factor("trapezoid", step, 100, 0.1, 0.4) for step in range(101)]
    assert factors[:10] == sorted(factors[:10])
    assert set(factors[10:61]) == {1.0}
    assert factors[80] == pytest.approx(0.5, abs=1e-3)
    assert factors[100] < 1e-3
    # A longer training with the same warm-up in steps begins in the same way.
    longer = [lr_factor("trapezoid", step, 200, 0.05, 0.2) for step in range(61)]
    assert longer == pytest.approx(factors[:61])


def test_sampling_grid_equals_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.eye(2, 3) + torch.randn(9, 2, 3, generator=generator) * 0.3
    expected = functional.affine_grid(matrices, [9, 1, 40, 48], align_corners=False)
    torch.testing.assert_close(_affine_grid(matrices, 40, 48), expected)
