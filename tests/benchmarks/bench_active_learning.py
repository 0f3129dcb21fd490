"""Whether faces that are chosen for labelling teach more than random ones.

    python -m tests.benchmarks.bench_active_learning [--seeds 5] [--base 210] [--count 140]

Synthetic faces without defects. A network is trained on `base` labelled faces; of 1,200 unlabelled
ones, `count` are labelled with the truth, chosen at random or by `choose_faces`; the same network
is trained on all of them, and measured on 1,400 test faces. Each seed draws faces and weights anew.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_models.dataset.snapshot import first_of_group, pixel_sha256, write_snapshot
from fer_models.labels import VOTE_COLUMNS
from fer_models.models.config import NetworkConfig
from fer_models.selection.choose import choose_faces
from fer_models.selection.config import SelectionConfig
from fer_models.selection.stored import open_chosen
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.action_units import draw_traits
from fer_models.synthetic.faces import draw_faces
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.predict import predict_model
from fer_models.training.train import train_member

NUM_POOL, NUM_TEST, NUM_VALIDATION = 1200, 1400, 210
CHOICES = {
    "margin": SelectionConfig(by="margin", candidates_per_face=1),
    "margin, diverse": SelectionConfig(by="margin"),
    "entropy, diverse": SelectionConfig(by="entropy"),
}
MEMBER = MemberConfig(
    name="small",
    network=NetworkConfig(name="scratch_mlp", width=0.25),
    training=TrainingConfig(epochs=12, precision="32-true"),
)


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of all classes alike, uint8 N x 48 x 48, and their N labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 7
    return draw_faces(draw_traits(labels, rng), rng), labels


def trained(
    store: ArtifactStore, images: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[ModelRef, float]:
    """A network trained on faces, and its accuracy on the test faces, 0..1."""
    held_out, held_labels = drawn(NUM_VALIDATION, 10_000 + seed)
    everything = np.concatenate([images, held_out])
    shas = pixel_sha256(everything)
    table = pd.DataFrame(
        {
            "image_id": [f"face/{row:06d}" for row in range(len(everything))],
            "source": "drawn",
            "row": np.arange(len(everything)),
            "path": "",
            "split": ["train"] * len(images) + ["validation"] * len(held_out),
            "label": np.concatenate([labels, held_labels]),
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": "kept",
            "reason": "",
        }
    )
    snapshot = write_snapshot(store, table, everything, "split")
    model = train_member(store, snapshot, MEMBER, seed, TrackingConfig(mode="disabled"))
    test, test_labels = drawn(NUM_TEST, 20_000 + seed)
    right = predict_model(store, model, test).argmax(axis=1) == test_labels
    return model, float(right.mean())


def accuracies(seed: int, num_base: int, count: int, folder: Path) -> dict[str, float]:
    """Test accuracy before labelling, with random faces, and with each choice."""
    store = ArtifactStore(StoreConfig(url=str(folder / "store")))
    base, base_labels = drawn(num_base, seed)
    pool, pool_labels = drawn(NUM_POOL, 30_000 + seed)
    (folder / "pool").mkdir()
    for row, face in enumerate(pool):
        Image.fromarray(face).save(folder / "pool" / f"{row}.png")
    model, before = trained(store, base, base_labels, seed)
    rows = {"random": np.random.default_rng(seed).permutation(NUM_POOL)[:count].tolist()}
    for name, config in CHOICES.items():
        wanted = config.model_copy(update={"count": count, "seed": seed})
        chosen = choose_faces(store, [str(folder / "pool")], model.id, wanted)
        paths = open_chosen(store, chosen.ref)["path"]
        rows[name] = [int(Path(path).stem) for path in paths]
    found = {"before": before}
    for name, added in rows.items():
        images = np.concatenate([base, pool[added]])
        labels = np.concatenate([base_labels, pool_labels[added]])
        found[name] = trained(store, images, labels, seed)[1]
    return found


def main() -> None:
    """Print the mean accuracy of each choice, and its gain over random with a standard error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--base", type=int, default=210)
    parser.add_argument("--count", type=int, default=140)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            rows.append(accuracies(seed, options.base, options.count, Path(folder)))
        print(seed, {name: round(value, 4) for name, value in rows[-1].items()}, flush=True)
    table = pd.DataFrame(rows)
    gain = table.sub(table["random"], axis=0)
    print(f"\n{options.seeds} seeds, {options.base} labelled faces + {options.count}")
    for name in table:
        error = gain[name].std(ddof=1) / len(table) ** 0.5
        print(
            f"{name:>18}  {100 * table[name].mean():.1f} %  "
            f"{100 * gain[name].mean():+.1f} ± {100 * error:.1f} points against random"
        )


if __name__ == "__main__":
    main()
