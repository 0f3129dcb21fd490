"""The quick model: trains one fold's network in plain torch and predicts held-out images.

N training images, M predicted images, K classes. No Lightning here: importing it takes longer than
a small training.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import Images
from fer_models.errors import TrainingError
from fer_models.models.factory import build_network
from fer_models.quality.config import ScoringConfig
from fer_models.training.config import TrainingConfig
from fer_models.training.engine.train_step import autocast, train_step
from fer_models.training.inputs.batches import TrainBatches, as_float, derived_seed, to_inputs
from fer_models.training.inputs.data import Labels, Preprocessing, SplitImages, preprocessing_for
from fer_models.training.objective.targets import training_targets
from fer_models.training.optim.optimizer import build_optimizer, build_schedule
from fer_models.training.runtime import best_device

Probabilities = npt.NDArray[np.float64]
_PREDICTION_BATCH = 512


def predict_fold(
    train_images: Images,
    train_labels: Labels,
    predicted_images: Images,
    config: ScoringConfig,
    seed: int,
    on_epoch: Callable[[int], None],
    class_names: Sequence[str],
) -> Probabilities:
    """Train the quick model on some images and predict others.

    Args:
        train_images: uint8 N x 48 x 48.
        train_labels: N class numbers 0..K-1.
        predicted_images: uint8 M x 48 x 48.
        config: network and training.
        seed: of weights, order and augmentation.
        on_epoch: called with the number of finished epochs.
        class_names: the K classes.

    Returns:
        Probabilities M x K; the mean over each image and its mirror image.

    Raises:
        TrainingError: the loss is not finite.
    """
    device, classes = best_device(), ClassList.named(class_names)
    preprocessing = preprocessing_for(config.network, train_images, classes)
    torch.manual_seed(derived_seed(seed))
    network = build_network(config.network, len(classes))
    network = network.to(memory_format=torch.channels_last).to(device)
    split = SplitImages(train_images, train_labels, classes=classes)
    epoch = 0
    batches = TrainBatches(
        split,
        preprocessing,
        training_targets(split, config.training),
        config=config.training,
        seed=seed,
        epoch=lambda: epoch,
        device=device,
    )
    optimizer = build_optimizer(network, config.training)
    num_steps = len(batches) * config.training.epochs
    schedule = build_schedule(optimizer, config.training, num_steps)
    for epoch in range(config.training.epochs):
        network.train()
        for batch in batches:
            _require_finite(train_step(network, batch, optimizer, config.training), config.training)
            schedule.step()
        on_epoch(epoch + 1)
    return _predict(network, predicted_images, preprocessing, config.training)


def _require_finite(loss: float, config: TrainingConfig) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the quick model's loss became {loss}; set a smaller "
            f"scoring.training.learning_rate (now {config.learning_rate:g}), or disable label "
            "scores with scoring.enabled=false"
        )


def _predict(
    network: nn.Module, images: Images, preprocessing: Preprocessing, config: TrainingConfig
) -> Probabilities:
    device = next(network.parameters()).device
    network.eval()
    parts = [np.zeros((0, len(preprocessing["classes"])))]
    for start in range(0, len(images), _PREDICTION_BATCH):
        batch = torch.from_numpy(np.array(images[start : start + _PREDICTION_BATCH])).to(device)
        inputs = to_inputs(as_float(batch), preprocessing)
        with torch.inference_mode(), autocast(config, device):
            views = [network(inputs), network(inputs.flip(3))]
        mean = sum(logits.float().softmax(1) for logits in views) / 2
        parts.append(mean.double().cpu().numpy())
    return np.concatenate(parts)
