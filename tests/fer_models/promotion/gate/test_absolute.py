"""Limits on a candidate alone: chance does not block it, a real fault does."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from fer_models.evaluation.metrics import calibration_error
from fer_models.evaluation.temperature import apply_temperature
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.absolute import absolute_criteria
from fer_models.promotion.gate.evidence import Evidence
from fer_models.promotion.gate.row import GateCriterion
from tests.benchmarks.bench_promotion import evidence_of

CONFIG = PromotionConfig()


def criterion(evidence: Evidence, name: str) -> GateCriterion:
    [found] = [one for one in absolute_criteria(evidence, CONFIG) if one.name == name]
    return found


def calibrated(n: int, seed: int) -> Evidence:
    """Labels drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 7))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probs.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).astype(np.int64)
    evidence = evidence_of(labels, np.ones(n, dtype=bool), None)
    return replace(evidence, probs_NK=probs, has_temperature=False)


def heated(evidence: Evidence, temperature: float) -> npt.NDArray[np.float64]:
    return apply_temperature(evidence.probs_NK, temperature)


@pytest.mark.parametrize("n", [6, 20, 56, 200])
def test_a_class_at_its_floor_is_blocked_by_chance_less_often_than_the_level(n: int) -> None:
    def blocks(correct: int) -> bool:
        labels = np.full(n, 2)
        found = evidence_of(labels, np.arange(n) < correct, None)
        return criterion(found, "class floor").blocks

    limit = int(n * CONFIG.min_class_recall) + 1
    refused = [correct for correct in range(limit) if blocks(correct)]
    chances = binom.cdf(range(limit), n, CONFIG.min_class_recall)
    assert refused == np.flatnonzero(chances <= CONFIG.level).tolist()
    assert blocks(0) is (n >= 56)


def test_a_wrong_temperature_of_its_own_blocks_and_a_missing_one_does_not() -> None:
    evidence = calibrated(2000, 1)
    overconfident = replace(evidence, probs_NK=heated(evidence, 0.25))
    raw = calibration_error(overconfident.probs_NK, evidence.labels_N, 15)
    assert raw > 0.2
    missing = criterion(overconfident, "calibration")
    assert missing.passed
    assert missing.value is not None
    assert missing.value < 0.05
    assert f"{100 * raw:.2f} % without" in missing.text
    own = criterion(replace(overconfident, has_temperature=True), "calibration")
    assert own.blocks
    assert own.value == pytest.approx(raw)


def test_few_images_of_a_calibrated_model_do_not_block_it() -> None:
    """Their calibration error is often above the limit, by chance alone."""
    found = [criterion(calibrated(40, seed), "calibration") for seed in range(40)]
    above = [one for one in found if one.value > CONFIG.max_calibration_error]  # type: ignore[operator]
    assert len(above) > 10
    assert sum(one.blocks for one in found) <= 4
    explained = [one for one in above if one.passed]
    assert all("is above max_calibration_error 15 %, which chance" in one.text for one in explained)


def test_one_image_can_be_judged() -> None:
    evidence = evidence_of(np.array([3]), np.array([True]), None)
    assert not any(one.blocks for one in absolute_criteria(evidence, CONFIG))
