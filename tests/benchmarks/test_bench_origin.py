import numpy as np
import pytest

import tests.benchmarks.bench_origin as bench
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
    cells = [cell.strip() for cell in cost_table([cost]).splitlines()[-1].strip("|").split("|")]
    assert cells == ["one", "2.5 M", "48", "64", "2.00", "897", "10", "2.5"]


def test_a_step_has_the_batch_of_the_recipe_whatever_was_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An optimiser step of two batches of 32, measured on passes of 8 images."""
    network = NetworkConfig(name="scratch_mlp", image_size_px=48, in_channels=1, width=0.125)
    member = MemberConfig(
        name="small", network=network, training=TrainingConfig(batch_size=32, accumulate=2)
    )
    labels = np.arange(16) % 7
    images = SplitImages(draw_faces(labels, 0), labels)
    (cost,) = bench_origin([member], images, 2, batch_size=8)
    assert cost.batch_size == 64
    assert cost.parameters == count_parameters(build_network(network))
    assert cost.step_s > 0
    parts = {"data": 1.0, "forward": 2.0, "backward": 3.0, "optimizer": 4.0}
    monkeypatch.setattr(bench, "bench_step", lambda *_, **__: dict(parts))
    (cost,) = bench_origin([member], images, 2, batch_size=8)
    assert cost.step_s == 6 * 64 / 8 + 4
