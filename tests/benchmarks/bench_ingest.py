"""Ingest speed of FER2013's csv, compared with a straightforward pandas reader.

    python -m tests.benchmarks.bench_ingest [--rows 35887] [--images fer2013.parquet]

Writes a table in FER2013's format to a temporary folder and reads it, plain and compressed with
gzip, with the baseline (`pandas.read_csv`, then `np.array(text.split(), dtype=np.uint8)` for each
row) and with a complete ingest (checks, exact copies, snapshot written and verified by hash).
Ratios compare wall times of one run, the better of two each; peak memory is measured in a separate
process.
"""

import argparse
import gzip
import io
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import Images
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

NUM_ROWS = 35_887
MIN_RATIO = 3.0
MAX_PEAK_GIB = 1.5
IMAGES_VARIABLE = "FERFLOW_FER2013"

_USAGES = (("Training", 28_709), ("PublicTest", 3_589), ("PrivateTest", 3_589))
_ROUNDS = 2
_GIB = 2**30
_NUMBERS = [str(value) for value in range(256)]


def bench(num_rows: int = NUM_ROWS, images_parquet: Path | None = None) -> dict[str, Any]:
    """Measure ingest of a plain and of a compressed table.

    Args:
        num_rows: rows of the table (FER2013 has 35,887).
        images_parquet: a table with a column `png` of real images; by default they are generated.

    Returns:
        Machine, n, and for each format the seconds (naive, ingest), ratio, and peak memory in GiB.
    """
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "fer2013.csv"
        _write_table(plain, _images(num_rows, images_parquet))
        compressed = plain.with_name("fer2013.csv.gz")
        with plain.open("rb") as source, gzip.open(compressed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        _ingest(_small_table(plain))  # warm-up: imports and first calls
        return {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "n": num_rows,
            "images": "real" if images_parquet else "synthetic",
            "formats": {path.name: _measure(path) for path in (plain, compressed)},
        }


def main() -> None:
    """Print the figures, and whether they meet the goals."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=NUM_ROWS)
    parser.add_argument("--images", type=Path, default=os.environ.get(IMAGES_VARIABLE))
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        _ingest(arguments.peak_of)
        print(_peak_bytes())
        return
    figures = bench(arguments.rows, arguments.images and Path(arguments.images))
    print(json.dumps(figures, indent=2))
    for name, one in figures["formats"].items():
        is_met = one["ratio"] >= MIN_RATIO and one["peak_gib"] < MAX_PEAK_GIB
        print(
            f"{name}: {one['ratio']:.1f} times as fast as the baseline (at least {MIN_RATIO}), "
            f"peak {one['peak_gib']:.2f} GiB (under {MAX_PEAK_GIB}): "
            f"{'passed' if is_met else 'FAILED'}"
        )


def _measure(path: Path) -> dict[str, float]:
    naive, ingest = [], []
    for _ in range(_ROUNDS):
        naive.append(_seconds(_read_naively, path))
        ingest.append(_seconds(_ingest, path))
    command = [sys.executable, "-m", "tests.benchmarks.bench_ingest", "--peak-of", str(path)]
    root = Path(__file__).parents[2]
    peak_bytes = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return {
        "naive_s": round(min(naive), 2),
        "ingest_s": round(min(ingest), 2),
        "ratio": round(min(naive) / min(ingest), 2),
        "peak_gib": round(int(peak_bytes) / _GIB, 3),
    }


def _seconds(read: Callable[[Path], object], path: Path) -> float:
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def _read_naively(path: Path) -> Images:
    table = pd.read_csv(path)
    return np.stack([np.array(text.split(), dtype=np.uint8) for text in table["pixels"]])


def _ingest(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(StoreConfig(url=folder))
        ingest_sources(store, DataConfig(sources=(str(path),)), seed=0)


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux, ru_maxrss includes the parent's memory from before this program started.
        [line] = [text for text in status.read_text().splitlines() if text.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _images(num_rows: int, images_parquet: Path | None) -> Images:
    if images_parquet is None:
        return _synthetic(num_rows)
    from PIL import Image

    files = pd.read_parquet(images_parquet, columns=["png"])["png"].head(num_rows)
    real = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in files])
    mirrored = real[: num_rows - len(real), :, ::-1]
    return np.concatenate([real, mirrored])


def _synthetic(num_rows: int) -> Images:
    """Smooth random images: grey values of one to three digits, as in photographs."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (num_rows, 12, 12), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def _write_table(path: Path, images: Images) -> None:
    usages = [usage for usage, count in _USAGES for _ in range(count)]
    with path.open("w") as table:
        table.write("emotion,pixels,Usage\n")
        for row, image in enumerate(images):
            pixels = " ".join([_NUMBERS[value] for value in image.tobytes()])
            table.write(f"{row % 7},{pixels},{usages[row % len(usages)]}\n")


def _small_table(table: Path) -> Path:
    path = table.with_name("small.csv")
    with table.open("rb") as source:
        path.write_bytes(b"".join(source.readline() for _ in range(20)))
    return path


if __name__ == "__main__":
    main()
