"""Auxiliary head that predicts the vote distribution, so that the features learn from the votes.

The ten taggers of FER+ (Barsoum et al. 2016) say more about a face than one label. Their majority
often differs from the label (they agree on 63 % of FER2013), so votes make a poor target for the
classes. As an auxiliary task (Caruana 1997) they only shape the features, and the head is dropped
after training.

B images of a batch, F features, V vote columns.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from fer_models.labels import VOTE_COLUMNS
from fer_models.models.freezing import classifier_of


class AuxiliaryHead(nn.Module):
    """Predicts the shares of the votes from the input of the network's classifier."""

    def __init__(self, network: nn.Module) -> None:
        """Create a linear layer for the features of `network`.

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
        """Mean cross-entropy of the votes over the batch; images without votes contribute 0.

        Args:
            features_BF: input of the classifier.
            targets: class probabilities and vote shares, B x (K + V).
        """
        votes_BV = targets[:, -len(VOTE_COLUMNS) :]
        nll_BV: Tensor = -self(features_BF).float().log_softmax(1)
        return (votes_BV * nll_BV).sum(1).mean()


@contextmanager
def classifier_inputs(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the classifier's input B x F of every forward pass inside the block."""
    features: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features.append(inputs[0])

    classifier = classifier_of(network, "training.auxiliary_head_weight")
    handle = classifier.register_forward_pre_hook(keep)
    try:
        yield features
    finally:
        handle.remove()
