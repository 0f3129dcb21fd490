"""Batches sliced from uint8 images that are in memory as one tensor.

No torch DataLoader: its workers and per-image collation cost more than slicing and augmenting a
whole batch of 48 px images.

N images, C channels, S side of the network's input in pixels.
"""

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fer_models.dataset.snapshot import Images
from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.augment import augment
from fer_models.training.inputs.copies import (
    COPY_CHUNK,
    Copy,
    Teaching,
    augmented_levels,
    mirrored,
    taught,
)
from fer_models.training.inputs.data import Preprocessing, SplitImages
from fer_models.training.inputs.mixing import mix_batch
from fer_models.training.inputs.progressive_resizing import epoch_size_px
from fer_models.training.inputs.sampling import epoch_order
from fer_models.training.process_group import SINGLE_PROCESS, ProcessGroup

Batch = tuple[Tensor, Tensor]
LUMA = (0.299, 0.587, 0.114)
_WHITE = 255
_COPY_STREAM = 3  # separates the seeds of augmented copies from all others
_EVAL_BATCH_GPU = 512
_EVAL_BATCH_MIN = 8
_EVAL_BATCH_PIXELS = 64 * 48 * 48
_RANK_STREAM = 2  # separates the seeds of a process's augmentation from those of dropout


class TrainBatches:
    """Shuffled, augmented batches; an epoch's batches depend only on the seed and its number.

    So an epoch that is repeated after an interruption sees the same images in the same order. Each
    process takes its rows of every batch and augments them with its own random numbers: the images
    of a step do not depend on the number of processes.
    """

    def __init__(
        self,
        split: SplitImages,
        preprocessing: Preprocessing,
        targets: Tensor,
        *,
        config: TrainingConfig,
        seed: int,
        epoch: Callable[[], int],
        device: torch.device,
        group: ProcessGroup = SINGLE_PROCESS,
        teaching: Teaching | None = None,
    ) -> None:
        """Put images and targets on `device`.

        Args:
            split: images and labels; the labels are used for balanced sampling only.
            preprocessing: input size and normalisation.
            targets: one row per image of `split`, see `objective.targets.training_targets`: class
                numbers N, or probabilities N x K or N x (K + V). An argument, because inputs know
                nothing of the objective.
            config: batch size, augmentation, sampling and progressive resizing.
            seed: seed of shuffling and augmentation.
            epoch: returns the epoch's number, called when an iteration starts.
            device: where batches are made.
            group: the process group that shares every batch.
            teaching: consistent teachers, whose predictions become part of the targets.
        """
        self._images = _shared_tensor(split.images, device)
        self._labels = split.labels
        self._num_classes = len(split.classes)
        self._targets = targets.to(device)
        self._preprocessing = preprocessing
        self._bounds = batch_bounds(len(split), config.batch_size, config.workers)
        self._config = config
        self._seed = seed
        self._epoch = epoch
        self._group = group
        self._teaching = teaching

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._bounds)

    def __iter__(self) -> Iterator[Batch]:
        """Inputs, float B x C x S x S, and the images' rows of the targets, mixed as the inputs.

        S is smaller in the first epochs under progressive resizing.
        """
        epoch = self._epoch()
        generator = torch.Generator().manual_seed(derived_seed(self._seed, epoch))
        order = epoch_order(self._labels, self._config, generator).to(self._images.device)
        if self._group.world_size > 1:
            generator.manual_seed(derived_seed(self._seed, epoch, _RANK_STREAM, self._group.rank))
        copy = self._copy(epoch)
        preprocessing = self._preprocessing.copy()
        preprocessing["image_size_px"] = epoch_size_px(
            self._config, preprocessing["image_size_px"], epoch
        )
        for start, stop in self._bounds:
            rows = order[start:stop][self._group.rows]
            if copy is None:
                images, targets = self._new_batch(rows, generator)
            else:
                images, targets = self._copied_batch(copy, rows, generator)
            yield to_inputs(images, preprocessing), targets

    def _new_batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """Augmented and mixed images (0..1); teachers, if there are any, predict these."""
        config = self._config
        images = augment(as_float(self._images[rows]), config.augment, generator)
        images, targets = mix_batch(
            images, self._targets[rows], config.augment, generator, self._num_classes
        )
        if self._teaching is not None:
            targets = taught(targets, self._teaching(images), config.teacher_weight)
        return images, targets

    def _copied_batch(self, copy: Copy, rows: Tensor, generator: torch.Generator) -> Batch:
        """Images of an augmented copy (0..1), mirrored and mixed, and what teachers predicted."""
        augmentation = self._config.augment
        images = as_float(copy.images[rows])
        if augmentation.flip:
            images = mirrored(images, generator)
        return mix_batch(images, copy.targets[rows], augmentation, generator, self._num_classes)

    def _copy(self, epoch: int) -> Copy | None:
        """The copy of the images for an epoch, the same for every seed; None if all are new."""
        if self._teaching is None or not self._config.teacher_copies:
            return None
        number = epoch % self._config.teacher_copies
        generator = torch.Generator().manual_seed(derived_seed(number, _COPY_STREAM))
        images = torch.cat(
            [
                augmented_levels(as_float(part), self._config.augment, generator)
                for part in torch.split(self._images, COPY_CHUNK)
            ]
        )
        probs_NK = self._teaching.of_copy(images)
        return Copy(images, taught(self._targets, probs_NK, self._config.teacher_weight))


class EvalBatches:
    """Every image of this process once, in order, resized and normalised but not augmented."""

    def __init__(
        self,
        split: SplitImages,
        preprocessing: Preprocessing,
        *,
        batch_size: int,
        device: torch.device,
        size_px: Callable[[], int] | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """Put the images on `device`; `size_px` returns the input side when an iteration starts."""
        self._images = uint8_tensor(split.images[group.rows], device)
        self._labels = torch.from_numpy(split.labels[group.rows]).to(device)
        self._preprocessing = preprocessing
        self._size_px = size_px or (lambda: preprocessing["image_size_px"])
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return math.ceil(len(self._labels) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Inputs (float B x C x S x S) and labels (B)."""
        preprocessing = self._preprocessing.copy()
        preprocessing["image_size_px"] = self._size_px()
        for start in range(0, len(self._labels), self._batch_size):
            part = slice(start, start + self._batch_size)
            yield to_inputs(as_float(self._images[part]), preprocessing), self._labels[part]


def eval_batch_size(image_size_px: int, device: torch.device) -> int:
    """Images per forward pass of a prediction, for inputs of this side.

    On a processor as many as keep the activations small: memory of large ones goes back to the
    system after every layer, which takes longer than computing them. The number does not depend on
    that of threads, because it changes sums in their last digits.
    """
    if device.type == "cuda":
        return _EVAL_BATCH_GPU
    return max(_EVAL_BATCH_PIXELS // image_size_px**2, _EVAL_BATCH_MIN)


def batch_bounds(num_images: int, batch_size: int, num_workers: int = 1) -> list[tuple[int, int]]:
    """Start and stop of every batch; a last batch too small for all workers joins the one before.

    Batch normalisation can't learn from a single image, so each worker gets at least two images of
    every batch, if batches are that large.
    """
    smallest = num_workers * min(2, max(1, batch_size // num_workers))
    starts = list(range(0, num_images, batch_size))
    if len(starts) > 1 and num_images - starts[-1] < smallest:
        starts.pop()
    return list(zip(starts, [*starts[1:], num_images], strict=True))


def derived_seed(*numbers: int) -> int:
    """One well-mixed seed (63 bits) from several non-negative numbers, such as seed and epoch."""
    state = np.random.SeedSequence(list(numbers)).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def uint8_tensor(images: Images, device: torch.device) -> Tensor:
    """Images as a uint8 tensor on `device`; a copy, so a read-only file stays untouched."""
    return torch.tensor(images, dtype=torch.uint8, device=device)


def _shared_tensor(images: Images, device: torch.device) -> Tensor:
    """Images as a tensor, on the CPU without a copy: other processes may share their memory."""
    if device.type != "cpu" or not images.flags.c_contiguous:
        return uint8_tensor(images, device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has no read-only tensors; nothing writes here
        return torch.from_numpy(images)


def as_float(images: Tensor) -> Tensor:
    """Convert uint8 N x H x W (x 3) to float N x 1 (3) x H x W on the 0..1 scale."""
    channels_first = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return channels_first.float().div_(_WHITE)


def to_inputs(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Resize, normalise and convert channels: float N x c x H x W (0..1) to N x C x S x S.

    Grey is repeated for a network of three channels; RGB becomes luma for one of a single channel.
    """
    size = preprocessing["image_size_px"]
    if images.shape[-1] != size or images.shape[-2] != size:
        images = functional.interpolate(
            images, (size, size), mode="bilinear", align_corners=False, antialias=True
        )
    if images.shape[1] > preprocessing["in_channels"]:
        weights = images.new_tensor(LUMA).view(1, -1, 1, 1)
        images = (images * weights).sum(1, keepdim=True)
    images = (images - preprocessing["mean"]) / preprocessing["std"]
    images = images.expand(-1, preprocessing["in_channels"], -1, -1)
    return images.contiguous(memory_format=torch.channels_last)
