"""What a training of the networks of the recipe `seed-baselines` costs on this machine.

    make bench-origin
    make bench-origin ARGS='--member resnet34 --member vgg19_bn --steps 5'

Processor time of a training step at the network's input size, on one core, which other programs
hardly change. Forward and backward passes are measured on small batches and scaled to the batch
size of the recipe; the optimiser's step, once a batch, is not. Weights are random: their values
do not change the time, and nothing is downloaded.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network, count_parameters
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.data import SplitImages
from flows.recipes import load_config
from tests.benchmarks.bench_train import bench_step, faces
from tests.benchmarks.results.tables import machine, table

RECIPE = "seed-baselines"
TRAINING_IMAGES = 28_709
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Cost:
    """A network of the recipe.

    Attributes:
        name: of the member.
        parameters: number of weights.
        image_size_px: side of its input.
        batch_size: images of an optimiser step.
        epochs: of the recipe.
        step_s: processor seconds of an optimiser step on one core.
    """

    name: str
    parameters: int
    image_size_px: int
    batch_size: int
    epochs: int
    step_s: float

    @property
    def epoch_s(self) -> float:
        """Processor seconds of an epoch of FER2013's Training images."""
        return self.step_s * TRAINING_IMAGES / self.batch_size

    @property
    def training_h(self) -> float:
        """Processor hours of all epochs."""
        return self.epochs * self.epoch_s / 3600


def bench_origin(
    members: Sequence[MemberConfig], split: SplitImages, steps: int, batch_size: int = _BATCH_SIZE
) -> Iterator[Cost]:
    """Measure every member.

    Args:
        members: networks and how they are trained.
        split: images to train on, at least `batch_size`.
        steps: that are measured, after one that is not.
        batch_size: of the measured passes.
    """
    for member in members:
        network = member.network.model_copy(update={"pretrained": False})
        config = member.training
        parts = bench_step(
            split,
            network,
            steps,
            config=config.model_copy(update={"batch_size": batch_size, "frozen_epochs": 0}),
            warm_up=1,
            timer=time.process_time,
        )
        optimizer_s = parts.pop("optimizer")
        images = config.batch_size * config.accumulate
        yield Cost(
            member.name,
            _parameters(network),
            network.side_px,
            images,
            config.epochs,
            sum(parts.values()) * images / batch_size + optimizer_s,
        )
        gc.collect()  # a gigabyte of weights and moments


def cost_table(costs: Sequence[Cost]) -> str:
    """As Markdown."""
    header = ["", "parameters", "input, px", "batch", "s/step", "s/epoch", "epochs", "hours"]
    rows = [
        [
            one.name,
            f"{one.parameters / 1e6:.1f} M",
            str(one.image_size_px),
            str(one.batch_size),
            f"{one.step_s:.2f}",
            f"{one.epoch_s:,.0f}",
            str(one.epochs),
            f"{one.training_h:,.1f}",
        ]
        for one in costs
    ]
    return table(header, rows)


def _parameters(network: NetworkConfig) -> int:
    with torch.device("meta"):
        return count_parameters(build_network(network))


def main() -> int:
    """Print one row after the other, then the table; 2 for wrong input."""
    members = load_config(RECIPE).members
    names = [member.name for member in members]
    parser = argparse.ArgumentParser(
        prog="make bench-origin",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--member", action="append", choices=names, help="default: all")
    parser.add_argument("--steps", type=int, default=3, choices=range(1, 101), metavar="1..100")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [one for one in members if one.name in (options.member or names)]
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for cost in bench_origin(chosen, faces(Path(folder)), options.steps):
            print(f"{cost.name}: {cost.step_s:.2f} s a step", file=sys.stderr, flush=True)
            costs.append(cost)
    print(f"{machine()}; one thread, processor time, torch {torch.__version__}\n")
    print(cost_table(costs))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in costs], indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
