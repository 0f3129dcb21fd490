"""Settings of the label scores."""

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.models.config import NetworkConfig
from fer_models.remote.config import PlacementConfig
from fer_models.training.config import TrainingConfig

QUICK_NETWORK = NetworkConfig(name="compact_cnn", dropout=0.1)
QUICK_TRAINING = TrainingConfig(epochs=14, label_smoothing=0.1)


class ScoringConfig(FrozenConfig):
    """Out-of-fold label scores: each image is predicted by networks not trained on it."""

    enabled: bool = Field(
        default=True,
        description="Score labels; without scores cleaning finds no label errors.",
    )
    folds: int = Field(
        default=3, ge=2, le=20, description="Cross-validation folds; one network per fold."
    )
    repeats: int = Field(
        default=2,
        ge=1,
        le=20,
        description="Repetitions with other folds; probabilities are averaged over them.",
    )
    network: NetworkConfig = Field(default=QUICK_NETWORK, description="The quick model.")
    training: TrainingConfig = Field(
        default=QUICK_TRAINING, description="Training of the quick model, the same for every fold."
    )
    placement: PlacementConfig = Field(
        default=PlacementConfig(),
        description="Resources of each fold on a Ray cluster; by default a quarter of a GPU if "
        "there are GPUs. A fold computes with one thread whatever its cores.",
    )
