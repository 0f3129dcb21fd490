"""Fine-tuning: the features of a network held still while its classifier learns."""

from torch import nn

from fer_models.errors import ConfigError


def freeze_features(network: nn.Module, *, frozen: bool) -> None:
    """Hold all weights but the classifier's still, or let all of them learn.

    Raises:
        ConfigError: the network has no linear classifier.
    """
    for weights in network.parameters():
        weights.requires_grad_(not frozen)
    for weights in classifier_of(network, "training.frozen_epochs").parameters():
        weights.requires_grad_(True)


def classifier_of(network: nn.Module, setting: str) -> nn.Linear:
    """The last linear layer, which `setting` asks for.

    Raises:
        ConfigError: there is none.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ConfigError(
            f"{setting} needs a network that ends in a linear layer, and this one has none; "
            f"set {setting}=0"
        )
    return layers[-1]
