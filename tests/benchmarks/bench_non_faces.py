"""Accuracy of the face score and of the search for near duplicates.

    python -m tests.benchmarks.bench_non_faces [--images fer2013.parquet] [--plot FILE.png]

Synthetic faces: precision and recall against the planted defects. Real FER2013 images with FER+
votes: non-faces are images with 5 or more of 10 votes for it; exact copies and blank images, which
other rules find, are excluded. Near duplicates of real images are counted by split.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_models.cleaning.config import FACE_SCORE_LIMITS, CleaningConfig
from fer_models.dataset.config import BLANK_STD, NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.image_stats import grey_sums
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import Images, open_snapshot
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.quality.non_faces import face_scores
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import BLANK, NEAR_DUPLICATE, NON_FACE, generate_synthetic

BALANCED, STRICT = FACE_SCORE_LIMITS["balanced"], FACE_SCORE_LIMITS["strict"]
LIMITS = (0.30, 0.35, 0.40, BALANCED, STRICT, 0.55, 0.60)
WORST = (50, 100, 200, 500)
Rows = np.ndarray


def bench(parquet: Path | None) -> dict[str, Any]:
    """All tables: `synthetic`, and with real images `curve`, `average_precision`, `copies`, ..."""
    cases = ((2800, 0), (2800, 1), (2800, 2), (10_000, 0))
    result: dict[str, Any] = {
        "synthetic": pd.concat([bench_synthetic(*case) for case in cases], ignore_index=True)
    }
    if parquet is not None:
        result |= bench_real(parquet)
    return result


def bench_synthetic(num_images: int, seed: int) -> pd.DataFrame:
    """Recall and precision of the limits and of near duplicates on one synthetic data set."""
    synthetic = generate_synthetic(SyntheticConfig(num_images=num_images), seed)
    defect = synthetic.truth["defect"].to_numpy()
    splits = synthetic.manifest_fields["split"].to_numpy()
    firsts = np.intersect1d(_firsts(synthetic.images), np.flatnonzero(defect != BLANK))
    train, held_out = (firsts[(splits[firsts] == "train") == side] for side in (True, False))
    scores = face_scores(synthetic.images, train)
    rows = [
        {
            "defect": f"{NON_FACE} < {limit:g}",
            **_quality(scores[train] < limit, defect[train] == NON_FACE),
        }
        for limit in (BALANCED, STRICT)
    ]
    found = find_near_duplicates(synthetic.images, held_out, train, NEAR_DUPLICATE_SIMILARITY)
    pairs = {frozenset(pair) for pair in zip(found.copies, found.originals, strict=True)}
    planted = synthetic.truth[defect == NEAR_DUPLICATE]
    truth = {frozenset(pair) for pair in zip(planted["row"], planted["original_row"], strict=True)}
    hits = len(pairs & truth)
    rows.append(
        {
            "defect": NEAR_DUPLICATE,
            "planted": len(truth),
            "found": len(pairs),
            "precision": hits / max(len(pairs), 1),
            "recall": hits / max(len(truth), 1),
        }
    )
    return pd.DataFrame(rows).assign(images=num_images, seed=seed)


def bench_real(parquet: Path) -> dict[str, Any]:
    """Non-faces of the real Training images against votes, and near duplicates by split."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(StoreConfig(url=folder))
        opened = open_snapshot(store, ingest_sources(store, DataConfig(sources=(str(parquet),)), 0))
        images, manifest = np.array(opened.images), opened.manifest
    usable = np.intersect1d(
        _firsts(images), np.flatnonzero(grey_sums(images).std_of_variance >= BLANK_STD)
    )
    splits = manifest["split"].to_numpy()
    train, held_out = (usable[(splits[usable] == "train") == side] for side in (True, False))
    start = time.perf_counter()
    scores = face_scores(images, train)[train]
    seconds = time.perf_counter() - start
    truth = manifest["votes_nf"].to_numpy()[train] >= CleaningConfig().min_not_face_votes
    ranked = truth[np.argsort(scores, kind="stable")]
    precision, recall, _ = precision_recall_curve(truth, -scores)
    return {
        "non_faces": int(truth.sum()),
        "images": len(images),
        "seconds": seconds,
        "average_precision": float(average_precision_score(truth, -scores)),
        "curve": pd.DataFrame(
            [{"limit": limit, **_quality(scores < limit, truth)} for limit in LIMITS]
        ),
        "worst": {count: float(ranked[:count].mean()) for count in WORST},
        "precision": precision,
        "recall": recall,
        **_copies(images, held_out, train),
    }


def _copies(images: Images, held_out: Rows, train: Rows) -> dict[str, Any]:
    start = time.perf_counter()
    found = find_near_duplicates(images, held_out, train, NEAR_DUPLICATE_SIMILARITY)
    seconds = time.perf_counter() - start
    of_held_out = np.isin(found.originals, held_out)
    within = find_near_duplicates(images, held_out[:0], held_out, NEAR_DUPLICATE_SIMILARITY)
    return {
        "copies_seconds": seconds,
        "copies": {
            "training image of a validation image": int(of_held_out.sum()),
            "validation images with such copies": len(np.unique(found.originals[of_held_out])),
            "training image of a training image": int((~of_held_out).sum()),
            "mirrored among these": int(found.mirrored.sum()),
            "within validation (never quarantined)": len(within.copies),
        },
    }


def _quality(found: Rows, truth: Rows) -> dict[str, float]:
    hits = int((found & truth).sum())
    return {
        "planted": int(truth.sum()),
        "found": int(found.sum()),
        "precision": hits / max(int(found.sum()), 1),
        "recall": hits / max(int(truth.sum()), 1),
    }


def _firsts(images: Images) -> Rows:
    """Rows of the first image of each set of equal ones."""
    keys = pd.Series([image.tobytes() for image in images])
    return np.flatnonzero(~keys.duplicated().to_numpy())


def plot(result: dict[str, Any], path: Path) -> None:
    """Save the precision-recall curve of the real images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.step(result["recall"], result["precision"], where="post")
    for name, limit in (("balanced", BALANCED), ("strict", STRICT)):
        row = result["curve"].set_index("limit").loc[limit]
        axes.plot(row["recall"], row["precision"], "o", label=f"{name}: score < {limit:g}")
    axes.set(
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1),
        ylim=(0, 1.02),
        title=f"Non-faces in training images (n = {result['non_faces']}, "
        f"average precision {result['average_precision']:.3f})",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the tables; with real images and --plot, save the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=Path, help="parquet file of FER2013 with FER+ votes")
    parser.add_argument("--plot", type=Path, help="PNG file for the curve of the real images")
    options = parser.parse_args()
    result = bench(options.images)
    print(result["synthetic"].round(3).to_string(index=False))
    if options.images is None:
        return
    print(f"\nreal images: {result['images']}, scored in {result['seconds']:.1f} s")
    print(result["curve"].round(3).to_string(index=False))
    print(f"average precision {result['average_precision']:.3f} (n = {result['non_faces']})")
    for count, share in result["worst"].items():
        print(f"of the {count} lowest scores, {share:.2f} are non-faces")
    print(f"\nnear duplicates, {result['copies_seconds']:.1f} s")
    for name, count in result["copies"].items():
        print(f"{count:6d} {name}")
    if options.plot is not None:
        plot(result, options.plot)


if __name__ == "__main__":
    main()
