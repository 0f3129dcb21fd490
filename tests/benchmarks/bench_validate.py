"""How long the data gate takes over as many images as FER2013 has, with everything on.

    python -m tests.benchmarks.bench_validate

Everything: all suites, drift against a reference of the same size, and custom expectations.
The images are the real ones where they are at hand, filled up with repeats, else noise.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import (
    IMAGE_SIZE_PX,
    KEPT,
    first_of_group,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from validation.config import ValidationConfig

NUM_IMAGES = 35_887
NUM_TRAIN = 28_709
REAL_DATA = Path(__file__).parents[3] / "shared" / "data" / "fer2013_train_public.parquet"
_OWN = """
- table: kept
  expect: expect_column_mean_to_be_between
  kwargs: {column: mean, min_value: 0, max_value: 255}
- table: classes
  expect: expect_column_values_to_be_between
  kwargs: {column: images, min_value: 1}
"""


def bench() -> dict[str, float]:
    """Seconds of a look in a new process: of the imports, of the look itself, of both."""
    with tempfile.TemporaryDirectory() as scratch:
        url = str(Path(scratch) / "store")
        ref = _snapshot(ArtifactStore(StoreConfig(url=url)))
        own = Path(scratch) / "own.yaml"
        own.write_text(_OWN, encoding="utf-8")
        start = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", __spec__.name, url, ref.model_dump_json(), str(own)],
            capture_output=True,
            text=True,
            check=True,
        )
        whole = time.perf_counter() - start
    found: dict[str, float] = json.loads(ended.stdout)
    return {"images": NUM_IMAGES, "cores": os.cpu_count() or 1, **found, "process_s": whole}


def _look(url: str, ref: SnapshotRef, own: str) -> dict[str, float]:
    start = time.perf_counter()
    import great_expectations  # noqa: F401 - to be timed

    from validation.gate import validate_snapshot

    imported = time.perf_counter()
    config = ValidationConfig(reference=ref.id, expectations_file=own)
    validate_snapshot(ArtifactStore(StoreConfig(url=url)), ref, config)
    return {"import_s": imported - start, "validate_s": time.perf_counter() - imported}


def _snapshot(store: ArtifactStore) -> SnapshotRef:
    images, labels = _images()
    sha = pd.Series(pixel_sha256(images))
    rows = np.arange(NUM_IMAGES)
    table = pd.DataFrame(
        {
            "image_id": [f"bench:{row}" for row in rows],
            "source": "bench",
            "row": rows,
            "path": "",
            "split": np.select([rows < NUM_TRAIN, rows % 2 == 0], ["train", "validation"], "test"),
            "label": labels,
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": sha,
            "duplicate_group": first_of_group(sha),
            "status": KEPT,
            "reason": "",
        }
    )
    return write_snapshot(store, table, images, "ingest")


def _images() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    if not REAL_DATA.exists():
        rng = np.random.default_rng(0)
        shape = (NUM_IMAGES, IMAGE_SIZE_PX, IMAGE_SIZE_PX)
        return rng.integers(0, 256, shape, dtype=np.uint8), rng.integers(0, NUM_CLASSES, NUM_IMAGES)
    from PIL import Image

    table = pd.read_parquet(REAL_DATA, columns=["emotion", "png"])
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in table["png"]])
    repeat = np.arange(NUM_IMAGES) % len(images)
    return images[repeat], table["emotion"].to_numpy(dtype=np.int64)[repeat]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        found = _look(sys.argv[1], SnapshotRef.model_validate_json(sys.argv[2]), sys.argv[3])
    else:
        found = bench()
    print(json.dumps({key: round(value, 2) for key, value in found.items()}))
