"""What it saves to compute depthwise convolutions in float32, and all others in bfloat16.

python -m tests.benchmarks.bench_depthwise         # a part of make bench-train
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fer_models.models.config import NetworkConfig
from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.data import SplitImages
from fer_models.training.runtime import best_device, resolve_precision
from tests.benchmarks.bench_train import AUGMENT, bench_step, faces

_NETWORK = NetworkConfig(name="tf_efficientnet_lite0", image_size_px=96, in_channels=3)
_CONFIG = TrainingConfig(batch_size=64, augment=AUGMENT)
_STEPS = 6


def seconds_a_step(split: SplitImages) -> dict[str, float]:
    """Processor time of a training step: all in float32, all in bfloat16, and as in training."""
    settings: dict[str, dict[str, Any]] = {
        "float32": {"config": _CONFIG.model_copy(update={"precision": "32-true"})},
        "bfloat16": {"config": _CONFIG, "depthwise_as_in_training": False},
        "depthwise in float32": {"config": _CONFIG},
    }
    return {
        name: sum(bench_step(split, _NETWORK, _STEPS, timer=time.process_time, **setting).values())
        for name, setting in settings.items()
    }


def main() -> None:
    """Print the processor times and their ratios, where training is in bfloat16."""
    if resolve_precision(_CONFIG, best_device()) != "bf16-mixed" or torch.cuda.is_available():
        print("\nDepthwise convolutions: this machine does not train in bfloat16 on its processor")
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = seconds_a_step(faces(Path(folder)))
    least = seconds["depthwise in float32"]
    size = f"{_NETWORK.image_size_px} px, batches of {_CONFIG.batch_size}, one thread"
    print(f"\n{_NETWORK.name}, {size}; processor time of a training step, median of {_STEPS}:")
    for name, value in seconds.items():
        print(f"  {name:<21} {value * 1000:5.0f} ms   {value / least:.2f}")


if __name__ == "__main__":
    main()
