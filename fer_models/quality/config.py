"""Settings of the label scores."""

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.models.config import NetworkConfig
from fer_models.training.config import TrainingConfig

QUICK_NETWORK = NetworkConfig(name="compact_cnn", dropout=0.1)
QUICK_TRAINING = TrainingConfig(epochs=14, label_smoothing=0.1)


class ScoringConfig(FrozenConfig):
    """Out-of-fold label scores: small networks judge images that they never learned from."""

    enabled: bool = Field(
        default=True,
        description="Whether labels are scored; without it cleaning finds no label errors.",
    )
    folds: int = Field(
        default=3, ge=2, le=20, description="Parts of the training images; a network for each."
    )
    repeats: int = Field(
        default=2,
        ge=1,
        le=20,
        description="How often the images are dealt out anew; the networks' opinions are averaged.",
    )
    network: NetworkConfig = Field(default=QUICK_NETWORK, description="The quick model.")
    training: TrainingConfig = Field(
        default=QUICK_TRAINING, description="Its training: the same for every fold."
    )
