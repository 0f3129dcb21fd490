"""A pipeline that is small enough to run many times."""

import tempfile
import uuid
from pathlib import Path

import pytest
import yaml

from fer_models.models.config import NetworkConfig
from fer_models.quality.config import ScoringConfig
from fer_models.storage.config import StoreConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from flows.pipeline_config import PipelineConfig


def tiny_config(store_url: str, **changes: object) -> PipelineConfig:
    """Two members, one epoch each, and tuning with two short trials."""
    brief = TrainingConfig(epochs=1, precision="32-true")
    settings: dict[str, object] = {
        "name": "tiny",
        "store": StoreConfig(url=store_url),
        "data": {"synthetic": {"num_images": 420}},
        "validation": {"min_images_per_class": 5, "min_images_per_split": 20},
        "scoring": ScoringConfig(
            folds=2, repeats=1, network=NetworkConfig(width=0.25), training=brief
        ),
        "members": (
            MemberConfig(name="compact_cnn", network=NetworkConfig(width=0.25), training=brief),
            MemberConfig(
                name="scratch_cnn",
                network=NetworkConfig(name="scratch_cnn", width=0.25),
                training=brief,
            ),
        ),
        "tuning": {
            "num_trials": 2,
            "max_epochs": 1,
            "max_train_images": 64,
        },
        "promotion": {"min_accuracy": 0.0},
        "tracking": {"mode": "disabled"},
    }
    return PipelineConfig.model_validate(settings | changes)


def as_recipe(config: PipelineConfig) -> str:
    """The path of a recipe file with all settings of a config, beside its store."""
    folder = (
        Path(tempfile.mkdtemp()) if "://" in config.store.url else Path(config.store.url).parent
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{config.name}-{uuid.uuid4().hex[:8]}.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(file)


@pytest.fixture
def config(tmp_path: Path) -> PipelineConfig:
    """The tiny pipeline with a store in a temporary folder."""
    return tiny_config(str(tmp_path / "store"))
