"""Settings that messages about label scores name: following them changes the outcome."""

import numpy as np

from fer_models.labels import CLASS_NAMES
from fer_models.quality.quick_model import predict_fold
from flows.recipes import load_config
from tests.fer_models.following import refusal

DIVERGING = [
    "scoring.network.name=scratch_mlp",
    "scoring.network.width=0.25",
    "scoring.training.batch_size=8",
    "scoring.training.epochs=40",
    "scoring.training.precision=32-true",
    "scoring.training.optimizer=sgd",
    "scoring.training.gradient_clip=0",
    "scoring.training.learning_rate=10",
]
IMAGES = np.random.default_rng(0).integers(0, 256, (14, 48, 48), dtype=np.uint8)


def test_a_diverging_quick_model_learns_slower_or_is_left_out_as_proposed() -> None:
    labels = np.arange(14) % 7

    def train(settings: list[str]) -> None:
        config = load_config("demo", settings).scoring
        predict_fold(IMAGES, labels, IMAGES, config, 0, lambda _: None, CLASS_NAMES)

    message = refusal(train, DIVERGING)
    assert "set a smaller scoring.training.learning_rate (now 10)" in message
    slower = ["scoring.training.learning_rate=0.01", "scoring.training.epochs=2"]
    train([*DIVERGING, *slower])
    assert "or disable label scores with scoring.enabled=false" in message
    assert load_config("demo", DIVERGING).scores_labels
    assert not load_config("demo", [*DIVERGING, "scoring.enabled=false"]).scores_labels
