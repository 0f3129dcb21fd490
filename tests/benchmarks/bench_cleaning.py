"""Accuracy of cleaning, and its effect on training.

    python -m tests.benchmarks.bench_cleaning [--images fer2013.parquet] [--pays] [--plots FOLDER]

Synthetic faces: precision and recall of each rule against the planted defects. Real FER2013 images
(`--images`, with FER+ votes): label errors and non-faces, found without the votes, against the
votes. `--pays`: the quick model trained on raw and on cleaned images, three seeds, evaluated on the
unmodified PublicTest.
"""

import argparse
import itertools
import multiprocessing
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, Images, open_snapshot, open_table
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.labels import CLASS_NAMES, UNLABELLED, VOTE_COLUMNS, VOTE_TO_EXPRESSION, FerPlusVote
from fer_models.processes import num_cores
from fer_models.progress import Progress, listening
from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import score_labels
from fer_models.quality.scores import SCORES_FILE
from fer_models.reporting.defects import score_cleaning
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from flows.recipes import load_config
from tests.benchmarks.bench_ingest import IMAGES_VARIABLE

WORST = (100, 300, 1000, 3000)
MIN_RECALL, MIN_PRECISION = 0.95, 0.90
MIN_DISAGREEMENT = 0.85
MAX_SCORING_S = 15 * 60
DEFAULTS = CleaningConfig()
Table = pd.DataFrame


def bench_synthetic(store: ArtifactStore, seed: int = 0, num_images: int = 2800) -> Table:
    """Recall and precision of each rule of the policy `balanced` on synthetic faces."""
    data = DataConfig(synthetic=SyntheticConfig(num_images=num_images))
    raw = ingest_sources(store, data, seed)
    scores = score_labels(store, raw, ScoringConfig(), seed)
    cleaned = clean_snapshot(store, raw, CleaningConfig(), scores)
    rows = score_cleaning(open_snapshot(store, cleaned).manifest, open_table(store, raw, "truth"))
    return pd.DataFrame(
        {
            "seed": seed,
            "defect": [row.defect or "(valid, quarantined)" for row in rows],
            "planted": [row.planted for row in rows],
            "recall": [row.recall for row in rows],
            "precision": [row.precision for row in rows],
        }
    )


def bench_real(store: ArtifactStore, raw: SnapshotRef, seed: int = 0) -> dict[str, Any]:
    """Label errors and non-faces of the real Training images, ranked without votes."""
    start = time.perf_counter()
    scores = score_labels(store, raw, ScoringConfig(), seed)
    seconds = time.perf_counter() - start
    cleaned = clean_snapshot(store, raw, CleaningConfig(), scores)
    manifest = open_snapshot(store, raw).manifest
    table = open_table(store, cleaned, "decisions")
    table["face_score"] = _face_scores(store, scores)
    train = (manifest["split"] == "train").to_numpy()
    truth = vote_truth(manifest)[train].reset_index(drop=True)
    table = table[train].reset_index(drop=True)
    return {
        "seconds": seconds,
        "facts": store.info(scores),
        "reasons": store.info(cleaned)["reasons"],
        "label_errors": worst_rows(table["score"], truth["disagrees"], truth["clear_error"]),
        "curves": {
            "label error (6 or more votes for another class)": curve(
                table["score"], truth["clear_error"]
            ),
            "FER+ majority disagrees": curve(table["score"], truth["disagrees"]),
            "not a face (5 or more votes)": curve(table["face_score"], truth["not_face"]),
        },
    }


def vote_truth(manifest: Table) -> Table:
    """FER+ verdict on each image: majority for another class, clear label error, non-face."""
    votes = manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)
    label = manifest["label"].to_numpy(dtype=np.int64)
    expression = np.array([int(VOTE_TO_EXPRESSION.get(vote, UNLABELLED)) for vote in FerPlusVote])
    favoured = expression[votes.argmax(axis=1)]
    disagrees = favoured != label
    clear = disagrees & (favoured != UNLABELLED) & (votes.max(axis=1) >= DEFAULTS.min_relabel_votes)
    not_face = votes[:, FerPlusVote.NF] >= DEFAULTS.min_not_face_votes
    return pd.DataFrame({"disagrees": disagrees, "clear_error": clear, "not_face": not_face})


def worst_rows(score: pd.Series, disagrees: pd.Series, clear: pd.Series) -> Table:
    """Fraction of the k lowest-scoring images that FER+ contradicts."""
    order = np.argsort(score.to_numpy(), kind="stable")
    rows = [
        {
            "worst": k,
            "disagrees": disagrees.to_numpy()[order[:k]].mean(),
            "clear_error": clear.to_numpy()[order[:k]].mean(),
        }
        for k in WORST
    ]
    chance = {"worst": len(order), "disagrees": disagrees.mean(), "clear_error": clear.mean()}
    return pd.DataFrame([*rows, chance])


def curve(score: pd.Series, truth: pd.Series) -> dict[str, Any]:
    """Precision and recall by threshold, and the average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, -score)
    return {
        "precision": precision,
        "recall": recall,
        "average_precision": float(average_precision_score(truth, -score)),
        "positives": int(truth.sum()),
        "chance": float(truth.mean()),
    }


def bench_pays(store: ArtifactStore, raw: SnapshotRef, seeds: tuple[int, ...]) -> Table:
    """PublicTest accuracy of the quick model, by training set.

    All kept training images are used; PublicTest (3,589 images) is unmodified. `unseen` excludes
    PublicTest images whose pixels are in the raw training data (279), `no near copy` also those
    with a near duplicate there (419).
    """
    scores = score_labels(store, raw, ScoringConfig(), 0)
    policies = {
        "raw": CleaningConfig(policy="off"),
        "recipe fer2013": load_config("fer2013").cleaning,
        "balanced": CleaningConfig(),
    }
    snapshots = {
        name: open_snapshot(store, clean_snapshot(store, raw, config, scores))
        for name, config in policies.items()
    }
    copied = _copied_rows(open_snapshot(store, raw))
    jobs = [
        (name, seed, np.asarray(snapshot.images), snapshot.manifest, copied)
        for seed, (name, snapshot) in itertools.product(seeds, snapshots.items())
    ]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_cores(), mp_context=spawn) as pool:
        rows = []
        for row in pool.map(_train_once, jobs):
            print("  " + "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            rows.append(row)
    return pd.DataFrame(rows)


def _copied_rows(raw: DatasetSnapshot) -> dict[str, Any]:
    """Validation rows with an exact copy, or also with a near duplicate, in training."""
    manifest = raw.manifest
    split, pixels = manifest["split"], manifest["pixel_sha256"]
    public, train = np.flatnonzero(split == "validation"), np.flatnonzero(split == "train")
    exact = pixels[public].isin(pixels[train]).to_numpy()
    similarity = DEFAULTS.near_duplicate_min_similarity
    found = find_near_duplicates(raw.images, public, train, similarity)
    return {"exact": exact, "near": exact | np.isin(public, found.originals)}


def _train_once(job: tuple[str, int, Images, Table, dict[str, Any]]) -> dict[str, Any]:
    import torch

    from fer_models.quality.quick_model import predict_fold

    torch.set_num_threads(1)
    name, seed, images, manifest, copied = job
    labels = manifest["label"].to_numpy(dtype=np.int64)
    in_training = ((manifest["split"] == "train") & (manifest["status"] == KEPT)).to_numpy()
    public = (manifest["split"] == "validation").to_numpy()
    probabilities = predict_fold(
        images[in_training],
        labels[in_training],
        images[public],
        ScoringConfig(),
        seed,
        lambda _: None,
        CLASS_NAMES,
    )
    correct = probabilities.argmax(axis=1) == labels[public]
    return {
        "trained on": name,
        "images": int(in_training.sum()),
        "seed": seed,
        "accuracy": correct.mean(),
        "unseen": correct[~copied["exact"]].mean(),
        "no near copy": correct[~copied["near"]].mean(),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, default=os.environ.get(IMAGES_VARIABLE))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pays", action="store_true")
    parser.add_argument("--plots", type=Path)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, listening(_ProgressLines()):
        store = ArtifactStore(StoreConfig(url=folder))
        tables = [bench_synthetic(store, seed) for seed in range(arguments.seeds)]
        _print("Synthetic faces: each rule against the planted defects", pd.concat(tables))
        if not arguments.images:
            print(f"no real images; pass --images or set {IMAGES_VARIABLE}")
            return
        raw = ingest_sources(store, DataConfig(sources=(str(arguments.images),)), 0)
        _print_real(bench_real(store, raw), arguments.plots)
        if arguments.pays:
            table = bench_pays(store, raw, tuple(range(arguments.seeds)))
            _print("Effect of cleaning: PublicTest accuracy of the quick model", table)
            columns = ["accuracy", "unseen", "no near copy"]
            means = table.groupby(["trained on", "images"], sort=False)[columns]
            _print("means and standard deviations", means.agg(["mean", "std"]).reset_index())


def _print_real(found: dict[str, Any], plots: Path | None) -> None:
    print(f"scored in {found['seconds']:.0f} s (at most {MAX_SCORING_S}): {found['facts']}")
    print(f"quarantined: {found['reasons']}")
    _print("Label errors: fraction of the worst Training images", found["label_errors"])
    for name, points in found["curves"].items():
        print(
            f"{name}: average precision {points['average_precision']:.3f} "
            f"(n = {points['positives']}, chance {points['chance']:.3f})"
        )
        for recall in (0.1, 0.25, 0.5, 0.75, 0.9):
            print(f"  recall {recall:.2f}: precision {_precision_at(points, recall):.3f}")
    if plots:
        _plot(found["curves"], plots / "cleaning-curves.png")


def _precision_at(points: dict[str, Any], recall: float) -> float:
    return float(points["precision"][points["recall"] >= recall].max())


def _plot(curves: dict[str, dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves.items():
        [line] = axes.plot(
            points["recall"][:-1],
            points["precision"][:-1],
            label=f"{name}, n = {points['positives']:,}",
        )
        axes.axhline(points["chance"], color=line.get_color(), lw=0.8, ls=":")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Found without votes, evaluated on FER+ votes (dotted: chance)", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _face_scores(store: ArtifactStore, scores: ScoresRef) -> pd.Series:
    return pd.read_parquet(store.fetch(scores, SCORES_FILE))["face_score"]


def _print(title: str, table: Table) -> None:
    print(f"\n{title}\n{table.round(3).to_string(index=False)}\n", flush=True)


class _ProgressLines:
    """Prints the progress of label scoring, one line per minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._last > 60:
            self._last = time.monotonic()
            print(f"  {progress.stage} {progress.amount} {progress.note}", flush=True)


if __name__ == "__main__":
    main()
