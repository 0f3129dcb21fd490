import numpy as np
import pytest

from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network, count_parameters
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.inputs.data import SplitImages
from tests.benchmarks.bench_origin import TRAINING_IMAGES, Cost, bench_origin, cost_table
from tests.fer_models.builders import draw_faces


def test_an_epoch_costs_all_its_steps() -> None:
    cost = Cost("one", 2_500_000, 48, batch_size=64, epochs=10, step_s=2.0)
    assert cost.epoch_s == 2 * TRAINING_IMAGES / 64
    assert cost.training_h == pytest.approx(10 * cost.epoch_s / 3600)
    assert (
        "| one | 2.5 M      | 48        | 64    | 2.00   | 897     | 10     | 2.5   |"
        in cost_table([cost])
    )


def test_a_step_has_the_batch_of_the_recipe_whatever_was_measured() -> None:
    """An optimiser step of two batches of 32 on passes of 8 images each."""
    network = NetworkConfig(name="scratch_mlp", image_size_px=48, in_channels=1, width=0.125)
    member = MemberConfig(
        name="small", network=network, training=TrainingConfig(batch_size=32, accumulate=2)
    )
    labels = np.arange(16) % 7
    (cost,) = bench_origin([member], SplitImages(draw_faces(labels, 0), labels), 2, batch_size=8)
    assert cost.batch_size == 64
    assert cost.parameters == count_parameters(build_network(network))
    assert cost.step_s > 0
