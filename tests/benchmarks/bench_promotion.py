"""How often the gate promotes a candidate that is better, equal or worse by a known amount.

    python -m tests.benchmarks.bench_promotion [--trials 1000] [--sizes 200] [--discordance 0.1]

Draws which of n validation images two models classify correctly, with a known true difference of
accuracy, and asks the gate itself (`fer_models.promotion.gate.decide`) each time. On `same data`
the candidate must be better; on `newer data` it suffices that it is not worse than the margin.
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fer_models.labels import CLASS_NAMES
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.decide import decide
from fer_models.promotion.gate.evidence import Bools, ChampionEvidence, Evidence, Ints, NewerData

SIZES = (200, 1000, 3589)
EFFECTS = (-0.02, -0.01, 0.0, 0.01, 0.02, 0.04)
ACCURACY = 0.66
DISCORDANCE = 0.15
# FER2013's PublicTest: angry, disgust, fear, happy, sad, surprise, neutral.
_CLASS_COUNTS = (467, 56, 496, 895, 653, 415, 607)


def drawn_evidence(
    rng: np.random.Generator,
    n: int,
    effect: float,
    discordance: float = DISCORDANCE,
    *,
    newer: bool = False,
) -> Evidence:
    """Two calibrated models on n images.

    Args:
        rng: of the draws.
        n: images.
        effect: true accuracy of the candidate minus the champion's, at most `discordance`.
        discordance: share of images that only one of them classifies correctly.
        newer: whether the candidate was trained on newer data.
    """
    only_champion, only_candidate = (discordance - effect) / 2, (discordance + effect) / 2
    both = ACCURACY - only_champion
    cells = rng.choice(4, size=n, p=(both, only_champion, only_candidate, 1 - both - discordance))
    shares = np.array(_CLASS_COUNTS) / sum(_CLASS_COUNTS)
    labels = rng.choice(len(shares), size=n, p=shares)
    return evidence_of(labels, cells % 2 == 0, cells <= 1, newer=newer)


def evidence_of(
    labels_N: Ints, candidate_N: Bools, champion_N: Bools | None, *, newer: bool = False
) -> Evidence:
    """Two models that are right on these images, and equally confident about all of them."""
    num_classes, n = len(CLASS_NAMES), len(labels_N)
    confidence = float(np.clip(candidate_N.mean(), 1.5 / num_classes, 0.99))
    predicted_N = np.where(candidate_N, labels_N, (labels_N + 1) % num_classes)
    probs_NK = np.full((n, num_classes), (1 - confidence) / (num_classes - 1))
    probs_NK[np.arange(n), predicted_N] = confidence
    champion = None
    if champion_N is not None:
        found = NewerData(newer, "trained on newer data" if newer else "trained on the same data")
        champion = ChampionEvidence(
            "champion", champion_N, np.ones(n, dtype=np.bool_), newer=lambda: found
        )
    return Evidence(labels_N, probs_NK, np.arange(n), CLASS_NAMES, True, champion=champion)


def promotion_rate(
    n: int,
    effect: float,
    trials: int,
    discordance: float = DISCORDANCE,
    *,
    newer: bool = False,
    config: PromotionConfig | None = None,
    seed: int = 0,
) -> float:
    """The share of simulated comparisons in which the gate promotes the candidate."""
    rng = np.random.default_rng([seed, n, round(1e4 * (1 + effect)), round(1e4 * discordance)])
    config = config or PromotionConfig()
    promoted = [
        decide(drawn_evidence(rng, n, effect, discordance, newer=newer), config).promoted
        for _ in range(trials)
    ]
    return float(np.mean(promoted))


def bench_rates(
    trials: int, discordances: Sequence[float], sizes: Sequence[int] = SIZES
) -> Iterator[dict[str, object]]:
    """One row for each kind of candidate, discordance and n; a column for each effect."""
    for newer in (False, True):
        for discordance in discordances:
            for n in sizes:
                rates = {
                    f"{100 * effect:+.0f}": promotion_rate(
                        n, effect, trials, discordance, newer=newer
                    )
                    for effect in EFFECTS
                }
                yield {
                    "candidate": "newer data" if newer else "same data",
                    "discordant": discordance,
                    "n": n,
                    **rates,
                }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--discordance", type=float, nargs="+", default=[DISCORDANCE])
    arguments = parser.parse_args()
    print(f"{arguments.trials} trials each; the champion is right on {ACCURACY:.0%}", flush=True)
    rows = []
    for row in bench_rates(arguments.trials, arguments.discordance, arguments.sizes):
        rows.append(row)
        print("  " + "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
