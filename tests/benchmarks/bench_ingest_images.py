"""Ingest speed of a folder of JPEG files, compared with Pillow's decoder alone on all cores.

    python -m tests.benchmarks.bench_ingest_images [--images 20000] [--rounds 3]

Writes colour JPEG files of 224 px, decodes them with Pillow in one running process a core (read,
decode to grey at the same scale, resize; nothing checked or kept), and ingests them (layout,
checks, exact copies, snapshot written and verified by hash). The floor is what any ingest must do:
the processes also hash the pixels once and write them to one file. All three alternate; ratios are
of the best rounds. CPU seconds of all processes together depend less on other programs than wall
times.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_models.dataset.image_format import REDUCING_GAP
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.processes import num_cores
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic

NUM_IMAGES = 20_000
SIDE_PX = 224
MIN_RATIO = 0.8
_CLASSES = ("happy", "sad", "angry", "surprise")
_FILES_PER_TASK = 64
_NUM_FACES = 500
_DRAFT_FACTOR = 4


def bench(num_images: int = NUM_IMAGES, rounds: int = 3) -> dict[str, Any]:
    """Measure the decoder alone, and ingest to 48 px and to the images' own size.

    Returns:
        Machine, n, and for each size wall and CPU seconds of decoder, floor and ingest, and the
        ratios decoder / ingest.
    """
    workers = ProcessPoolExecutor(num_cores(), get_context("spawn"))
    with tempfile.TemporaryDirectory() as scratch, workers as pool:
        folder = Path(scratch) / "faces"
        files = _write_images(folder, num_images)
        groups = [files[i : i + _FILES_PER_TASK] for i in range(0, num_images, _FILES_PER_TASK)]
        list(pool.map(_decode_group, groups[:8], [48] * 8))  # warm-up: imports
        return {
            "machine": f"{platform.machine()}, {num_cores()} cores",
            "load": round(os.getloadavg()[0], 1),
            "n": num_images,
            **{f"{px} px": _compared(pool, groups, folder, px, rounds) for px in (48, SIDE_PX)},
        }


def _compared(
    pool: ProcessPoolExecutor, groups: list[list[str]], folder: Path, size_px: int, rounds: int
) -> dict[str, float]:
    decoder, floor, ingest = [], [], []
    for _ in range(rounds):
        decoder.append(_measured(_decode_all, pool, groups, size_px))
        floor.append(_measured(_store_all, pool, groups, size_px))
        ingest.append(_measured(_ingest, folder, size_px))
    (decoder_s, decoder_cpu_s), (floor_s, floor_cpu_s), (ingest_s, ingest_cpu_s) = (
        map(min, zip(*measured, strict=True)) for measured in (decoder, floor, ingest)
    )
    return {
        "decoder_s": round(decoder_s, 2),
        "floor_s": round(floor_s, 2),
        "ingest_s": round(ingest_s, 2),
        "ratio": round(decoder_s / ingest_s, 2),
        "decoder_cpu_s": round(decoder_cpu_s, 2),
        "floor_cpu_s": round(floor_cpu_s, 2),
        "ingest_cpu_s": round(ingest_cpu_s, 2),
        "cpu_ratio": round(decoder_cpu_s / ingest_cpu_s, 2),
    }


def main() -> None:
    """Print the figures, and whether they meet the goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=NUM_IMAGES)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures = bench(arguments.images, arguments.rounds)
    print(json.dumps(figures, indent=2))
    ratio = figures["48 px"]["ratio"]
    verdict = "passed" if ratio >= MIN_RATIO else "FAILED"
    print(f"ingest to 48 px: {ratio:.2f} of the decoder's speed (at least {MIN_RATIO}): {verdict}")


def _measured(run: Callable[..., float | None], *arguments: Any) -> tuple[float, float]:
    """Wall and CPU seconds of a call, or what it measures itself."""
    start, start_cpu = time.perf_counter(), _cpu_s()
    cpu = run(*arguments)
    wall = time.perf_counter() - start
    return wall, _cpu_s() - start_cpu if cpu is None else cpu


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _decode_all(pool: ProcessPoolExecutor, groups: list[list[str]], size_px: int) -> float:
    """Decode everything in processes that already run; their CPU seconds."""
    return sum(pool.map(_decode_group, groups, [size_px] * len(groups)))


def _decode_group(files: list[str], size_px: int) -> float:
    start = time.process_time()
    for file in files:
        _decode(file, size_px)
    return time.process_time() - start


def _decode(file: str, size_px: int) -> Image.Image:
    size = (size_px, size_px)
    with Image.open(file, formats=("JPEG",)) as image:
        image.draft("L", (_DRAFT_FACTOR * size_px, _DRAFT_FACTOR * size_px))
        image.load()
        if image.size == size:
            return image
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def _store_all(pool: ProcessPoolExecutor, groups: list[list[str]], size_px: int) -> float:
    """As `_decode_all`; the pixels are hashed and written to one file, too."""
    num_groups = len(groups)
    with tempfile.NamedTemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, sum(map(len, groups)) * size_px**2)
        arguments = (groups, [size_px] * num_groups, [file.name] * num_groups, range(num_groups))
        return sum(pool.map(_store_group, *arguments))


def _store_group(files: list[str], size_px: int, path: str, number: int) -> float:
    start = time.process_time()
    pixels = b"".join([_decode(file, size_px).tobytes() for file in files])
    hashlib.sha256(pixels)
    with Path(path).open("r+b", buffering=0) as file:
        file.seek(number * _FILES_PER_TASK * size_px**2)
        file.write(pixels)
    return time.process_time() - start


def _ingest(folder: Path, size_px: int) -> None:
    with tempfile.TemporaryDirectory() as store:
        config = DataConfig(sources=(str(folder),), image_size_px=size_px)
        ingest_sources(ArtifactStore(StoreConfig(url=store)), config, seed=0)


def _write_images(folder: Path, num_images: int) -> list[str]:
    """Enlarged synthetic faces with a tint and noise, about 12 kB each."""
    faces = generate_synthetic(SyntheticConfig(num_images=_NUM_FACES), 0).images
    random = np.random.default_rng(0)
    tint = np.array([12, 0, -12], dtype=np.int16)
    files = []
    for number in range(num_images):
        face = Image.fromarray(faces[number % len(faces)])
        grey = np.asarray(face.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))
        noise = random.integers(-4, 5, (SIDE_PX, SIDE_PX, 1), dtype=np.int16)
        pixels = (grey[..., None] + tint + noise).clip(0, 255).astype(np.uint8)
        path = folder / _CLASSES[number % len(_CLASSES)] / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)
        files.append(str(path))
    return files


if __name__ == "__main__":
    main()
