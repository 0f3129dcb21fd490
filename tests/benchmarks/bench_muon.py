"""What a training step with Muon costs with its iteration in bfloat16 and in float32.

Training chooses bfloat16 where the processor computes in it (`muon` in `fer_models`).

python -m tests.benchmarks.bench_muon         # a part of make bench-train
"""

import tempfile
import time
from pathlib import Path
from unittest import mock

import torch

from fer_models.models.config import NetworkConfig
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.inputs.data import SplitImages
from fer_models.training.runtime import has_bf16
from tests.benchmarks.bench_train import bench_step, faces

_NETWORKS = {
    "fer2013-quick": NetworkConfig(name="compact_cnn", width=1.5),
    "fer2013-single": NetworkConfig(name="face_cnn", width=0.65, image_size_px=40),
}
_CONFIG = TrainingConfig(
    batch_size=256, optimizer="muon", learning_rate=0.02, augment=AugmentConfig()
)
_STEPS = 6


def seconds_a_step(split: SplitImages, network: NetworkConfig) -> dict[str, float]:
    """Processor time of a training step, by the type of Muon's iteration."""
    seconds = {}
    for name, in_bf16 in (("bfloat16", True), ("float32", False)):
        with mock.patch("fer_models.training.optim.muon.has_bf16", return_value=in_bf16):
            parts = bench_step(split, network, _STEPS, config=_CONFIG, timer=time.process_time)
        seconds[name] = sum(parts.values())
    return seconds


def main() -> None:
    """Print the processor times and their ratios."""
    torch.set_num_threads(1)
    chosen = "bfloat16" if has_bf16(torch.device("cpu")) else "float32"
    print(f"\nMuon's iteration, one thread; here training chooses {chosen}")
    with tempfile.TemporaryDirectory() as folder:
        split = faces(Path(folder))
    for recipe, network in _NETWORKS.items():
        seconds = seconds_a_step(split, network)
        for name, value in seconds.items():
            ratio = value / seconds["float32"]
            print(
                f"  network of {recipe:<14} {name:<8} {value * 1000:6.0f} ms a step   {ratio:.2f}"
            )


if __name__ == "__main__":
    main()
