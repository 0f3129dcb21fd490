from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.labels import NUM_CLASSES, VOTE_TO_EXPRESSION, FerPlusVote
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.inputs.data import SplitImages
from fer_models.training.inputs.mixing import as_probabilities, mix_batch
from fer_models.training.inputs.sampling import class_weights, epoch_order
from fer_models.training.objective.targets import class_part, loss_weights, training_targets

LABELS = np.array([3, 3, 3, 3, 0, 0, 6, 1])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def split_with_votes() -> SplitImages:
    votes = np.zeros((len(LABELS), 10), dtype=np.float32)
    happy = next(int(v) for v, e in VOTE_TO_EXPRESSION.items() if int(e) == 3)
    neutral = next(int(v) for v, e in VOTE_TO_EXPRESSION.items() if int(e) == 6)
    votes[0, happy], votes[0, neutral], votes[0, int(FerPlusVote.NF)] = 6, 2, 2
    images = np.zeros((len(LABELS), 48, 48), dtype=np.uint8)
    return SplitImages(images, LABELS, votes)


def test_targets_are_the_labels_without_votes() -> None:
    assert training_targets(split_with_votes(), TrainingConfig()).tolist() == LABELS.tolist()


def test_vote_shares_are_mixed_into_the_target() -> None:
    targets = training_targets(split_with_votes(), TrainingConfig(vote_weight=0.4))
    assert targets.shape == (8, NUM_CLASSES)
    # Of the 8 votes for the seven classes 6 are happy.
    assert float(targets[0, 3]) == pytest.approx(0.6 + 0.4 * 6 / 8)
    assert float(targets[0, 6]) == pytest.approx(0.4 * 2 / 8)
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_images_without_votes_keep_their_label() -> None:
    targets = training_targets(split_with_votes(), TrainingConfig(vote_weight=1))
    assert torch.equal(targets[1:], as_probabilities(torch.tensor(LABELS[1:]), 7))


@given(vote=st.floats(0, 1), teacher=st.floats(0, 1))
def test_teachers_are_mixed_with_labels_and_votes(vote: float, teacher: float) -> None:
    split = split_with_votes()
    teacher_probs = np.full((len(LABELS), NUM_CLASSES), 1 / NUM_CLASSES, dtype=np.float32)
    config = TrainingConfig(vote_weight=vote, teacher_weight=teacher)
    targets = training_targets(replace(split, teacher_probs_NK=teacher_probs), config)
    alone = as_probabilities(training_targets(split, config), 7)
    expected = (1 - teacher) * alone.double() + teacher / NUM_CLASSES
    torch.testing.assert_close(targets.double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_the_auxiliary_head_gets_the_shares_of_all_votes_beside_the_label() -> None:
    targets = training_targets(split_with_votes(), TrainingConfig(auxiliary_head_weight=1))
    assert targets.shape == (8, NUM_CLASSES + len(FerPlusVote))
    assert torch.equal(class_part(targets, 7), as_probabilities(torch.tensor(LABELS), 7))
    shares = targets[0, NUM_CLASSES:]
    assert float(shares[FerPlusVote.HAPPINESS]) == pytest.approx(0.6)
    assert float(shares[FerPlusVote.NEUTRAL]) == pytest.approx(0.2)
    assert float(shares[FerPlusVote.NF]) == pytest.approx(0.2)
    assert not targets[1:, NUM_CLASSES:].any()


def test_class_weights_are_inversely_proportional_to_the_class_counts() -> None:
    # 8 images in 4 classes: 8 / (4 * count); classes without images weigh 0.
    assert class_weights(LABELS, 7).tolist() == [1.0, 2.0, 0.0, 0.5, 0.0, 0.0, 2.0]
    assert class_weights(LABELS, 7)[LABELS].mean() == 1
    assert loss_weights(split_with_votes(), TrainingConfig()) is None


def test_balanced_sampling_draws_every_class_equally_often() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    config = TrainingConfig(class_weighting="sampling")
    drawn = labels[epoch_order(labels, config, seeded()).numpy()]
    assert len(drawn) == len(labels)
    assert np.bincount(drawn).min() > 280


def test_an_epoch_without_balanced_sampling_sees_every_image_once() -> None:
    order = epoch_order(LABELS, TrainingConfig(), seeded())
    assert sorted(order.tolist()) == list(range(len(LABELS)))


@settings(max_examples=40)
@given(st.integers(0, 500), st.sampled_from(["mixup", "cutmix"]))
def test_mixed_targets_match_the_mixed_images(seed: int, kind: str) -> None:
    labels = torch.tensor(LABELS)
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 24, 24).contiguous()
    config = AugmentConfig(**{kind: 1.0})
    mixed, targets = mix_batch(images, labels, config, seeded(seed), 7)
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    assert mixed.shape == images.shape
    # Each image is constant with its own number, so its mean shows the mixing weights.
    share = targets.gather(1, labels[:, None])[:, 0]
    for row in range(8):
        other = (targets[row] > 0).sum()
        assert other <= 2
        mean = float(mixed[row].mean())
        partners = [
            float(share[row]) * row + (1 - float(share[row])) * partner for partner in range(8)
        ]
        if other == 2:
            assert min(abs(mean - guess) for guess in partners) < 1e-3


def test_mixing_is_off_by_default() -> None:
    images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 3])
    same, targets = mix_batch(images, labels, AugmentConfig(), seeded(), 7)
    assert same is images
    assert targets is labels


def test_a_batch_of_one_is_mixed_with_itself() -> None:
    images, labels = torch.rand(1, 1, 8, 8), torch.tensor([4])
    for config in (AugmentConfig(mixup=0.5), AugmentConfig(cutmix=1)):
        mixed, targets = mix_batch(images, labels, config, seeded(), 7)
        torch.testing.assert_close(mixed, images)
        torch.testing.assert_close(targets, as_probabilities(labels, 7))
