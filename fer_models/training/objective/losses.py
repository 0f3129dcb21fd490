"""The loss of the classes.

B images of a batch, K classes.
"""

from torch import Tensor
from torch.nn import functional

from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.mixing import as_probabilities

_FOCAL_GAMMA = 2.0
_GENERALIZED_Q = 0.7


def class_loss(
    logits: Tensor, targets: Tensor, config: TrainingConfig, weights_K: Tensor | None = None
) -> Tensor:
    """Mean loss over a batch, with label smoothing.

    Other losses than the cross-entropy take targets of several classes as their expectation over
    these classes.

    Args:
        logits: float32 B x K.
        targets: class numbers B, or probabilities B x K.
        config: which loss, and label smoothing.
        weights_K: class weights; None: all 1.
    """
    if config.loss == "cross_entropy":
        return functional.cross_entropy(
            logits, targets, weight=weights_K, label_smoothing=config.label_smoothing
        )
    num_classes = logits.shape[1]
    smoothing = config.label_smoothing
    targets_BK = as_probabilities(targets, num_classes) * (1 - smoothing) + smoothing / num_classes
    loss_BK = _focal(logits) if config.loss == "focal" else _generalized(logits)
    weighted_BK = loss_BK if weights_K is None else loss_BK * weights_K
    return (targets_BK * weighted_BK).sum(1).mean()


def _focal(logits: Tensor) -> Tensor:
    log_probs_BK = logits.log_softmax(1)
    return -((1 - log_probs_BK.exp()) ** _FOCAL_GAMMA) * log_probs_BK


def _generalized(logits: Tensor) -> Tensor:
    return (1 - (_GENERALIZED_Q * logits.log_softmax(1)).exp()) / _GENERALIZED_Q
