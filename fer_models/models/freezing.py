"""Fine-tuning: freeze the features of a network while its classifier trains."""

from torch import nn

from fer_models.errors import ConfigError


def freeze_features(network: nn.Module, *, frozen: bool) -> None:
    """Freeze all weights but the classifier's, or unfreeze all.

    Raises:
        ConfigError: the network has no linear classifier.
    """
    for weights in network.parameters():
        weights.requires_grad_(not frozen)
    for weights in classifier_of(network, "training.frozen_epochs").parameters():
        weights.requires_grad_(True)


def classifier_of(network: nn.Module, setting: str) -> nn.Linear:
    """The last linear layer of the network.

    Args:
        network: any network.
        setting: the setting that needs a classifier, for the error message.

    Raises:
        ConfigError: the network has no linear layer.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ConfigError(
            f"{setting} needs a network that ends in a linear layer, but this one has none; "
            f"set {setting}=0"
        )
    return layers[-1]
