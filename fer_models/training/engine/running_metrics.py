"""Running metrics of the images of an epoch, or of some steps.

N images, B of a batch, K classes.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fer_models.evaluation.metrics import auroc, confusion_matrix, macro_f1
from fer_models.training.process_group import ProcessGroup


@dataclass(frozen=True)
class Scores:
    """Mean loss; accuracy, macro F1 and AUROC (0..1); `auroc` is None with fewer than two classes.

    Training scores are measured on augmented batches, each before its optimiser step. A mixed
    image counts for the class with its largest weight. If any logit is not finite, accuracy and
    macro F1 are 0.
    """

    loss: float
    accuracy: float
    macro_f1: float
    auroc: float | None

    def named(self, part: str) -> dict[str, float]:
        """Scores by name (`<part>_loss`, ...), without those that are None."""
        values = {
            f"{part}_loss": self.loss,
            f"{part}_accuracy": self.accuracy,
            f"{part}_macro_f1": self.macro_f1,
        }
        return values if self.auroc is None else {**values, f"{part}_auroc": self.auroc}


@dataclass
class RunningMetrics:
    """Losses, logits and labels so far; kept on the device, so that no step synchronises it."""

    _losses: list[Tensor] = field(default_factory=list)
    _logits: list[Tensor] = field(default_factory=list)
    _labels: list[Tensor] = field(default_factory=list)
    _num_batches_reported: int = 0
    num_images: int = 0

    def add(self, loss: Tensor, logits_BK: Tensor, targets: Tensor) -> None:
        """Add a batch; `loss` is its mean, `targets` are labels B or probabilities B x K."""
        labels_B = targets.argmax(1) if targets.ndim == 2 else targets
        self._losses.append(loss.detach().float() * len(labels_B))
        self._logits.append(logits_BK.detach().float())
        self._labels.append(labels_B)
        self.num_images += len(labels_B)

    def since_last(self) -> "RunningMetrics":
        """Metrics of the batches added since the last call."""
        start, self._num_batches_reported = self._num_batches_reported, len(self._losses)
        labels = self._labels[start:]
        num_images = sum(len(labels_B) for labels_B in labels)
        return RunningMetrics(
            self._losses[start:], self._logits[start:], labels, num_images=num_images
        )

    def all_processes(self, group: ProcessGroup) -> "RunningMetrics":
        """Metrics of all processes; every process must call it and have added an image."""
        if group.world_size == 1:
            return self
        own = (
            torch.stack(self._losses).sum().cpu(),
            torch.cat(self._logits).cpu(),
            torch.cat(self._labels).cpu(),
        )
        losses, logits, labels = (list(parts) for parts in zip(*group.all_gather(own), strict=True))
        num_images = sum(len(labels_N) for labels_N in labels)
        return RunningMetrics(losses, logits, labels, num_images=num_images)

    @property
    def loss(self) -> float:
        """Mean loss; 0 before the first image."""
        if not self._losses:
            return 0.0
        return float(torch.stack(self._losses).sum()) / self.num_images

    def scores(self) -> Scores:
        """Scores of all images so far (at least one)."""
        probs_NK = torch.cat(self._logits).double().softmax(1).cpu().numpy()
        if not np.isfinite(probs_NK).all():
            return Scores(loss=self.loss, accuracy=0.0, macro_f1=0.0, auroc=None)
        labels_N = torch.cat(self._labels).cpu().numpy().astype(np.int64)
        confusion_KK = confusion_matrix(probs_NK, labels_N)
        return Scores(
            loss=self.loss,
            accuracy=float(np.trace(confusion_KK)) / self.num_images,
            macro_f1=macro_f1(confusion_KK),
            auroc=auroc(probs_NK, labels_N),
        )
