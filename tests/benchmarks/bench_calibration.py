"""How well the probabilities of shipped networks fit, before and after temperature scaling.

    python -m tests.benchmarks.bench_calibration --images fer2013.parquet [--model NAME]

Calibration error (15 bins) and log loss on PublicTest at each speed: as the network predicts, at a
temperature that was fitted to the other four of five folds (drawn with seed 0), and at the one that
was fitted to all views. N images, K classes.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.shipped import shipped_facts
from fer_models.bundles.speed import SPEEDS, Speed
from fer_models.dataset.snapshot import Images
from fer_models.evaluation.metrics import Floats, Ints, calibration_error
from fer_models.evaluation.temperature import apply_temperature, fit_temperature
from fer_models.inference.open_model import open_model

_BINS, _FOLDS, _SEED = 15, 5, 0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="table with PublicTest")
    parser.add_argument(
        "--model", action="append", help="name of a bundle; by default all networks"
    )
    arguments = parser.parse_args()
    images, labels_N = _public_test(arguments.images)
    networks = [
        name
        for name, facts in shipped_facts().items()
        if isinstance(facts, BundleFacts) and not facts.final_fit_of
    ]
    print(f"PublicTest, n = {len(labels_N):,}: calibration error in points, log loss")
    for name in arguments.model or networks:
        _measure(name, images, labels_N)


def _measure(name: str, images: Images, labels_N: Ints) -> None:
    raw = {speed: _raw(name, speed, images) for speed in SPEEDS}
    of_all_views = fit_temperature(raw["best"], labels_N)
    for speed, probs_NK in raw.items():
        ways = {
            "raw": probs_NK,
            "out of fold": _out_of_fold(probs_NK, labels_N),
            "temperature of all views": apply_temperature(probs_NK, of_all_views),
        }
        found = [f"{way} {_text(scaled, labels_N)}" for way, scaled in ways.items()]
        print(f"{name} {speed}: {'; '.join(found)}", flush=True)


def _raw(name: str, speed: Speed, images: Images) -> Floats:
    """The softmax of the network: its probabilities without the temperature of the bundle."""
    model = open_model(f"bundled:{name}", speed=speed)
    probs_NK = model.predict(images).astype(np.float64)
    return apply_temperature(probs_NK, 1 / (model.temperature or 1.0))


def _out_of_fold(probs_NK: Floats, labels_N: Ints) -> Floats:
    fold_N = np.random.default_rng(_SEED).integers(0, _FOLDS, len(labels_N))
    scaled_NK = probs_NK.copy()
    for fold in range(_FOLDS):
        held_out = fold_N == fold
        temperature = fit_temperature(probs_NK[~held_out], labels_N[~held_out])
        scaled_NK[held_out] = apply_temperature(probs_NK[held_out], temperature)
    return scaled_NK


def _text(probs_NK: Floats, labels_N: Ints) -> str:
    error = 100 * calibration_error(probs_NK, labels_N, _BINS)
    loss = -np.log(np.maximum(probs_NK[np.arange(len(labels_N)), labels_N], 1e-15)).mean()
    return f"{error:.1f}, {loss:.3f}"


def _public_test(table: Path) -> tuple[Images, Ints]:
    rows = pd.read_parquet(table)
    rows = rows[rows["Usage"] == "PublicTest"]
    images = [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in rows["png"]]
    return np.stack(images), rows["emotion"].to_numpy(dtype=np.int64)


if __name__ == "__main__":
    main()
