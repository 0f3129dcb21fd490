"""Disagreement of the members and the gain by each, compared with numpy and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from fer_models.ensembling.crossfit import Fitting, cross_fit_method
from fer_models.ensembling.diversity import disagreements, member_gains
from fer_models.ensembling.scores import score
from tests.fer_models.ensembling.simulated import draw_members, images_of


def test_pairs_have_disagreement_and_error_correlation() -> None:
    images = images_of(*draw_members(np.random.default_rng(0), 300, (1.8, 1.2, 0.5)))
    rows = disagreements(images)
    assert [row["members"] for row in rows] == [(0, 1), (0, 2), (1, 2)]
    predicted_MN = images.probs_MNK.argmax(axis=2)
    wrong_MN = predicted_MN != images.labels_N
    for row in rows:
        a, b = row["members"]
        correlation = np.corrcoef(wrong_MN[a], wrong_MN[b])[0, 1]
        assert row["error_correlation"] == pytest.approx(correlation, abs=1e-6)
        assert correlation == pytest.approx(matthews_corrcoef(wrong_MN[a], wrong_MN[b]))
        different = np.mean(predicted_MN[a] != predicted_MN[b])
        assert row["disagreement"] == pytest.approx(different, abs=1e-6)
        assert row["both_wrong"] == pytest.approx(np.mean(wrong_MN[a] & wrong_MN[b]), abs=1e-6)


def test_a_member_without_errors_has_no_correlation() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 50, (1.8, 1.8))
    probs_MNK[0] = np.eye(7)[labels_N]
    (row,) = disagreements(images_of(probs_MNK, labels_N))
    assert row["error_correlation"] is None
    assert row["both_wrong"] == 0


def test_gain_is_the_score_with_the_member_minus_the_score_without_it() -> None:
    images = images_of(*draw_members(np.random.default_rng(1), 300, (1.8, 1.8, -2.0)))
    gains = member_gains(Fitting(images), "soft_vote", "accuracy")
    held_out = cross_fit_method(Fitting(images), "soft_vote", "accuracy").held_out()
    everyone = score("accuracy", held_out, images.labels_N)
    for number, found in enumerate(gains):
        mean_NK = np.delete(images.probs_MNK, number, axis=0).mean(axis=0)
        without = score("accuracy", mean_NK, images.labels_N)
        assert found.value == pytest.approx(everyone - without, abs=1e-6)
        assert found.low <= found.value <= found.high
    assert gains[2].value < 0 < gains[0].value


def test_a_single_member_has_no_gain() -> None:
    images = images_of(*draw_members(np.random.default_rng(1), 30, (1.8,)))
    assert member_gains(Fitting(images), "weighted", "log_loss") == []
