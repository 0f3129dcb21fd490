import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, log_loss, roc_auc_score
from torch.nn import functional

from fer_models.training.engine.running_metrics import RunningMetrics


def test_scores_equal_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(7, (300,), generator=generator)
    logits = torch.randn(300, 7, generator=generator) + functional.one_hot(labels, 7)
    running = RunningMetrics()
    for part in torch.arange(300).split(70):
        running.add(
            functional.cross_entropy(logits[part], labels[part]), logits[part], labels[part]
        )
    scores, probs = running.scores(), logits.double().softmax(1).numpy()
    assert running.num_images == 300
    assert scores.loss == pytest.approx(log_loss(labels, probs), rel=1e-5)
    assert scores.accuracy == pytest.approx((probs.argmax(1) == labels.numpy()).mean())
    assert scores.macro_f1 == pytest.approx(f1_score(labels, probs.argmax(1), average="macro"))
    assert scores.auroc == pytest.approx(roc_auc_score(labels, probs, multi_class="ovr"))


def test_a_mixed_target_counts_for_its_largest_class() -> None:
    running = RunningMetrics()
    targets = torch.tensor([[0.7, 0.3, 0, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0, 0, 0]])
    running.add(torch.tensor(0.5), functional.one_hot(torch.tensor([0, 1]), 7) * 9.0, targets)
    assert running.scores().accuracy == 1


def test_auroc_is_none_with_a_single_class() -> None:
    running = RunningMetrics()
    running.add(torch.tensor(1.0), torch.zeros(3, 7), torch.tensor([2, 2, 2]))
    assert running.scores().auroc is None
    assert "train_auroc" not in running.scores().named("train")


def test_logits_that_are_not_finite_score_zero() -> None:
    running = RunningMetrics()
    running.add(torch.tensor(math.nan), torch.full((2, 7), np.nan), torch.tensor([0, 1]))
    assert running.scores().accuracy == 0
    assert math.isnan(running.scores().loss)
