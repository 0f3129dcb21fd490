"""Learning-rate range test (Smith 2017).

Not Lightning's `LearningRateFinder`: it draws its own progress bar, removes the callbacks and
suggests rates far too small for short schedules (7e-5 where 6e-3 trains best).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from fer_models.errors import TrainingError
from fer_models.models.factory import build_network
from fer_models.progress import report
from fer_models.training.config import MemberConfig
from fer_models.training.engine.train_step import train_step
from fer_models.training.inputs.batches import Batch, TrainBatches, derived_seed
from fer_models.training.inputs.data import SplitImages, preprocessing_for
from fer_models.training.objective.targets import loss_weights, training_targets
from fer_models.training.optim.optimizer import build_optimizer
from fer_models.training.runtime import best_device, reraise_oom, training_runtime

MIN_RATE, MAX_RATE = 1e-5, 10.0
MIN_STEPS = 20
_SMOOTHING = 0.9
_DIVERGED = 3.0  # times the lowest loss
_SAFETY_FACTOR = 10.0


@dataclass(frozen=True)
class RateCurve:
    """Smoothed training loss at each learning rate tried, in ascending order of the rate.

    The curve ends where the loss diverges. `lowest` is the rate with the lowest loss, `suggested`
    is a tenth of it (Howard, Gugger 2020); good peak rates are between the two.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    lowest: float
    suggested: float


def lr_find(split: SplitImages, member: MemberConfig, seed: int, num_steps: int) -> RateCurve:
    """Train a new network while its learning rate grows, and record the loss.

    With `muon` only the rate of the convolution kernels grows; other weights keep theirs.

    Example:
        data = training_data(open_snapshot(store, snapshot))
        curve = lr_find(data.train, MemberConfig(name="small"), seed=0, num_steps=120)
        print(curve.suggested, curve.lowest)  # a good peak learning rate is between these

    Args:
        split: training images.
        member: network and training settings.
        seed: seed of all random numbers.
        num_steps: number of learning rates to try, 20 or more, evenly spaced on a log scale.

    Raises:
        ConfigError: the network and settings do not fit each other or this machine.
        TrainingError: the loss diverges within the first steps, or memory runs out.
    """
    assert num_steps >= MIN_STEPS
    with training_runtime(derived_seed(seed), member.training.threads), reraise_oom(member):
        network = build_network(member.network, len(split.classes)).to(
            memory_format=torch.channels_last
        )
        network = network.to(best_device()).train()
        optimizer = build_optimizer(network, member.training)
        batches = _endless_batches(split, member, seed)
        weights_K = loss_weights(split, member.training)
        weights_K = None if weights_K is None else weights_K.to(best_device())
        rates: list[float] = []
        losses: list[float] = []
        mean = 0.0
        for step in range(num_steps):
            rate = MIN_RATE * (MAX_RATE / MIN_RATE) ** (step / (num_steps - 1))
            _set_rate(optimizer, member, rate)
            loss = train_step(network, next(batches), optimizer, member.training, weights_K)
            mean = mean * _SMOOTHING + (1 - _SMOOTHING) * loss
            smoothed = mean / (1 - _SMOOTHING ** (step + 1))
            report("lr-find", step + 1, num_steps, "steps", note=f"{rate:.1e} {smoothed:.3f}")
            if not math.isfinite(smoothed) or smoothed > _DIVERGED * min([*losses, smoothed]):
                break
            rates.append(rate)
            losses.append(smoothed)
    return _curve(member, rates, losses)


def ignored_settings(member: MemberConfig) -> list[str]:
    """The settings of a member that change its training, but not the test of its rates.

    Example:
        ignored_settings(MemberConfig(name="small", teachers=("large",)))  # ["teachers"]
    """
    training = member.training
    used = {
        "teachers": bool(member.teachers),
        "training.auxiliary_head_weight": training.auxiliary_head_weight > 0,
        "training.accumulate": training.accumulate > 1,
        "training.sharpness_radius": training.sharpness_radius > 0,
        "training.frozen_epochs": training.frozen_epochs > 0,
    }
    return [name for name, is_used in used.items() if is_used]


def _curve(member: MemberConfig, rates: list[float], losses: list[float]) -> RateCurve:
    if len(rates) < MIN_STEPS // 2:
        remedies = {"gradient_clip": 1.0, "precision": "32-true"}
        tried = [
            f"training.{name}={value:g}" if isinstance(value, float) else f"training.{name}={value}"
            for name, value in remedies.items()
            if getattr(member.training, name) != value
        ]
        raise TrainingError(
            f"{member.name}: the loss diverged after {len(rates)} steps, at a learning rate of "
            f"{rates[-1] if rates else MIN_RATE:.1e}; try "
            f"{' or '.join(tried) or 'another network or training.optimizer'}"
        )
    lowest = rates[min(range(len(losses)), key=losses.__getitem__)]
    # Two digits: the test is no more precise than that.
    return RateCurve(tuple(rates), tuple(losses), lowest, float(f"{lowest / _SAFETY_FACTOR:.2g}"))


def _set_rate(optimizer: torch.optim.Optimizer, member: MemberConfig, rate: float) -> None:
    groups = optimizer.param_groups
    for group in groups[:1] if member.training.optimizer == "muon" else groups:
        group["lr"] = rate


def _endless_batches(split: SplitImages, member: MemberConfig, seed: int) -> Iterator[Batch]:
    epoch = 0
    batches = TrainBatches(
        split,
        preprocessing_for(member.network, split.images, split.classes, split.image_format),
        training_targets(split, member.training),
        config=member.training,
        seed=seed,
        epoch=lambda: epoch,
        device=best_device(),
    )
    while True:
        yield from batches
        epoch += 1
