"""Training speed: ratios measured in one run on one machine.

    make bench-train                                   # synthetic faces, a few minutes
    make bench-train ARGS="--images fer2013_with_votes.parquet --plots docs/images"
    python -m tests.benchmarks.bench_train --threads 1

1. Data loading: augmented batches from memory, compared with torchvision's `ImageFolder` and a
   `DataLoader` with two worker processes and the same augmentations; images/s, five rounds each.
2. Time of a training step by part: data, forward, backward, optimiser.
3. Training images/s of each network, in the precision that training selects on this machine.
4. With --images: the time that `fer2013-quick` and `fer2013-single` take to reach an accuracy.
"""

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from fer_models.dataset.snapshot import open_snapshot
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network, count_parameters
from fer_models.processes import num_cores
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.engine.depthwise import fast_depthwise
from fer_models.training.inputs.batches import TrainBatches
from fer_models.training.inputs.data import SplitImages, preprocessing_for
from fer_models.training.objective.targets import training_targets
from fer_models.training.optim.optimizer import build_optimizer
from fer_models.training.runtime import best_device, resolve_precision
from tests.benchmarks.bench_accuracy import GOALS, bench_accuracy, summary_text
from tests.benchmarks.plots import plot_networks, plot_runs

MIN_LOADER_RATIO = 8.0
MAX_DATA_SHARE = 0.10
BATCH_SIZE = 128
AUGMENT = AugmentConfig(erase=0.5)
_ROUNDS = 5
_NETWORKS = (
    NetworkConfig(name="compact_cnn"),
    NetworkConfig(name="face_cnn"),
    NetworkConfig(name="scratch_cnn"),
    NetworkConfig(name="resnet10t"),
    NetworkConfig(name="resnet34"),
)
Table = pd.DataFrame


def bench_loader(split: SplitImages, folder: Path) -> dict[str, float]:
    """Images/s from memory and from torchvision, measured alternately; medians and their ratio."""
    _write_folder(split, folder)
    torchvision_batches = _torchvision_batches(folder)
    config = TrainingConfig(batch_size=BATCH_SIZE, augment=AUGMENT)
    memory_batches = _batches(split, config)
    rates: dict[str, list[float]] = {"memory": [], "torchvision": []}
    for _ in range(_ROUNDS):
        rates["memory"].append(_rate(memory_batches, len(split), repeats=4))
        rates["torchvision"].append(_rate(torchvision_batches, len(split)))
    memory, torchvision = (statistics.median(rates[name]) for name in ("memory", "torchvision"))
    return {"memory": memory, "torchvision": torchvision, "ratio": memory / torchvision}


def bench_step(
    split: SplitImages,
    network: NetworkConfig,
    steps: int = 12,
    *,
    config: TrainingConfig | None = None,
    warm_up: int = 2,
    timer: Callable[[], float] = time.perf_counter,
    depthwise_as_in_training: bool = True,
) -> dict[str, float]:
    """Median seconds per step by part: data, forward, backward, optimizer.

    Args:
        split: images to train on.
        network: a network.
        steps: that are measured.
        config: batch size, augmentation and optimiser.
        warm_up: steps before.
        timer: `time.process_time` for processor time, which other programs hardly change.
        depthwise_as_in_training: False leaves depthwise convolutions to the autocast.
    """
    config = config or TrainingConfig(batch_size=BATCH_SIZE, augment=AUGMENT)
    device = best_device()
    model = build_network(network).to(memory_format=torch.channels_last).to(device)
    optimizer = build_optimizer(model, config)
    batches = itertools.cycle(_batches(split, config, network))
    precision = resolve_precision(config, device)
    half = precision != "32-true"
    depthwise = precision if depthwise_as_in_training else ""
    parts: dict[str, list[float]] = {
        name: [] for name in ("data", "forward", "backward", "optimizer")
    }
    for _ in range(warm_up + steps):
        clock = _Clock(parts, timer)
        images, targets = next(batches)
        clock.lap("data")
        with (
            fast_depthwise(model, depthwise, device),
            torch.autocast(device.type, torch.bfloat16, enabled=half),
        ):
            logits = model(images)
        loss = functional.cross_entropy(logits.float(), targets)
        clock.lap("forward")
        loss.backward()  # type: ignore[no-untyped-call]
        clock.lap("backward")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        clock.lap("optimizer")
    return {name: statistics.median(seconds[warm_up:]) for name, seconds in parts.items()}


def bench_networks(split: SplitImages) -> Table:
    """Training images/s of each network (including data), and the share of each part of a step."""
    rows = []
    for network in _NETWORKS:
        parts = bench_step(split, network)
        whole = sum(parts.values())
        rows.append(
            {
                "network": network.name,
                "parameters": f"{count_parameters(build_network(network)) / 1e6:.1f} M",
                "images/s": BATCH_SIZE / whole,
                **{f"{name} %": 100 * seconds / whole for name, seconds in parts.items()},
            }
        )
    return pd.DataFrame(rows)


class _Clock:
    """Measures the duration of each part of a step."""

    def __init__(self, parts: dict[str, list[float]], timer: Callable[[], float]) -> None:
        self._parts = parts
        self._timer = timer
        self._last = timer()

    def lap(self, part: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = self._timer()
        self._parts[part].append(now - self._last)
        self._last = now


def _batches(
    split: SplitImages, config: TrainingConfig, network: NetworkConfig | None = None
) -> TrainBatches:
    epochs = itertools.count()
    return TrainBatches(
        split,
        preprocessing_for(network or NetworkConfig(), split.images),
        training_targets(split, config),
        config=config,
        seed=0,
        epoch=lambda: next(epochs),
        device=best_device(),
    )


def _torchvision_batches(folder: Path) -> Any:
    """The usual data loading: files, PIL images, transforms, worker processes."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    degrees, shift, scale = AUGMENT.rotate_deg, AUGMENT.shift, AUGMENT.scale
    change = transforms.Compose(
        [
            transforms.Grayscale(),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(
                degrees,
                translate=(shift, shift),
                scale=(1 - scale, 1 + scale),
                interpolation=transforms.InterpolationMode.BILINEAR,
            ),
            transforms.ColorJitter(AUGMENT.brightness, AUGMENT.contrast),
            transforms.ToTensor(),
            transforms.RandomErasing(AUGMENT.erase),
            transforms.Normalize((0.5,), (0.25,)),
        ]
    )
    return torch.utils.data.DataLoader(
        ImageFolder(str(folder), change),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
    )


def _rate(batches: Any, num_images: int, repeats: int = 1) -> float:
    _drain(iter(batches), limit=1)
    start = time.perf_counter()
    for _ in range(repeats):
        _drain(iter(batches))
    return repeats * num_images / (time.perf_counter() - start)


def _drain(batches: Iterator[tuple[Tensor, Tensor]], limit: int | None = None) -> None:
    for _ in itertools.islice(batches, limit):
        pass


def _write_folder(split: SplitImages, folder: Path) -> None:
    from PIL import Image

    for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        class_folder = folder / CLASS_NAMES[label]
        class_folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(class_folder / f"{number}.png")


def faces(folder: Path) -> SplitImages:
    """4,000 synthetic faces, from a store in `folder`."""
    store = ArtifactStore(StoreConfig(url=str(folder)))
    data = DataConfig(synthetic=SyntheticConfig(num_images=4000))
    snapshot = open_snapshot(store, ingest_sources(store, data, 0))
    labels = snapshot.manifest["label"].to_numpy(dtype=np.int64)
    labelled = np.flatnonzero(labels >= 0)
    return SplitImages(np.asarray(snapshot.images[labelled]), labels[labelled])


def main() -> None:
    """Print the tables, and whether the limits are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=num_cores())
    parser.add_argument("--images", type=Path, help="table of labelled faces, for accuracies")
    parser.add_argument("--plots", type=Path, help="folder for plots of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {arguments.threads} threads, load "
        f"{os.getloadavg()[0]:.1f}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        split = faces(Path(folder) / "store")
        loader = bench_loader(split, Path(folder) / "images")
        print(
            f"\nLoading, n = {len(split)}, median of {_ROUNDS}: memory {loader['memory']:,.0f} "
            f"images/s, ImageFolder with 2 workers {loader['torchvision']:,.0f}, ratio "
            f"{loader['ratio']:.1f} (minimum {MIN_LOADER_RATIO:g}: "
            f"{_verdict(loader['ratio'] >= MIN_LOADER_RATIO)})"
        )
        table = bench_networks(split)
        print(f"\nTraining, batches of {BATCH_SIZE}\n{table.round(1).to_string(index=False)}")
        share = float(table.loc[table["network"] == "face_cnn", "data %"].iloc[0]) / 100
        print(
            f"\nface_cnn spends {share:.1%} of a step on data (limit {MAX_DATA_SHARE:.0%}: "
            f"{_verdict(share < MAX_DATA_SHARE)})"
        )
    if arguments.plots:
        plot_networks(table, arguments.plots / "bench-networks.png")
    if arguments.images:
        _bench_accuracies(arguments.images, arguments.plots)


def _bench_accuracies(images: Path, plots: Path | None) -> None:
    curves = []
    for recipe in ("fer2013-quick", "fer2013-single"):
        curves.append(bench_accuracy(images, recipe))
        print(f"\n{summary_text(curves[-1])}", flush=True)
    if plots:
        plot_runs(curves, GOALS, plots / "bench-accuracy.png")


def _verdict(is_met: bool) -> str:
    return "passed" if is_met else "FAILED"


if __name__ == "__main__":
    main()
