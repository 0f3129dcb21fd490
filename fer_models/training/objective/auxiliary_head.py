"""A second head that foretells how people voted, and makes the features learn more from an image.

Ten taggers of FER+ (Barsoum et al. 2016) say more about a face than one label does. Their opinion
is not the label's (they agree on 63 % of FER2013), so it is no target for the classes; as a task
beside them (Caruana 1997) it shapes the features only, and the head is dropped after the training.

B images of a batch, F features, V vote columns.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.models.freezing import classifier_of


class AuxiliaryHead(nn.Module):
    """Shares of the votes from what the network's classifier sees."""

    def __init__(self, network: nn.Module) -> None:
        """Fit the size of the network's features.

        Raises:
            ConfigError: the network has no linear classifier.
        """
        super().__init__()
        self.linear = nn.Linear(
            classifier_of(network, "training.auxiliary_head_weight").in_features, len(VOTE_COLUMNS)
        )

    def forward(self, features_BF: Tensor) -> Tensor:
        """Logits B x V."""
        logits_BV: Tensor = self.linear(features_BF)
        return logits_BV

    def loss(self, features_BF: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of the votes over the batch; images without votes count as 0.

        Args:
            features_BF: what the classifier saw.
            targets: probabilities of the classes and shares of the votes, B x (K + V).
        """
        votes_BV = targets[:, NUM_CLASSES:]
        surprisal_BV: Tensor = -self(features_BF).float().log_softmax(1)
        return (votes_BV * surprisal_BV).sum(1).mean()


@contextmanager
def classifier_inputs(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the features B x F that reach the classifier in each forward pass of the block."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    classifier = classifier_of(network, "training.auxiliary_head_weight")
    handle = classifier.register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()
