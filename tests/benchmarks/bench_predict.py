"""Speed of prediction: torch and onnxruntime, float32 and int8, 1, 2 and 18 views, in one run.

`make bench-predict ARGS='--images fer2013_train_public.parquet'` adds the accuracy on PublicTest.
Compare the figures of one run with each other: other processes change all of them.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from fer_models.bundles.shipped import bundled_names
from fer_models.bundles.speed import SPEEDS, views_at
from fer_models.inference.export_onnx import write_onnx
from fer_models.inference.networks import LoadedModel, load_bundled
from fer_models.onnx_files.session import OnnxModel, open_onnx
from fer_models.processes import num_cores

_FACES = {1: 256, 2: 128, 18: 16}
_REPETITIONS = 5
_SINGLES = 30
Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Print one table for each shipped bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="table with PublicTest, for the accuracy")
    parser.add_argument("--bundles", nargs="*", default=bundled_names())
    arguments = parser.parse_args()
    images, labels, training = _images(arguments.images)
    print(f"{num_cores()} cores; best of {_REPETITIONS}; single: median of {_SINGLES}")
    for name in arguments.bundles:
        with tempfile.TemporaryDirectory() as folder:
            _measure(name, Path(folder), images, labels, training)
    _start_up()


def _measure(
    name: str,
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray | None,
    training: np.ndarray,
) -> None:
    print(f"\n{name}\n{'':<24}{'faces/s':>9}{'CPU ms':>8}{'single ms':>11}{'accuracy':>10}")
    loaded = load_bundled(f"bundled:{name}")
    float_file, _ = write_onnx(loaded.full_name, folder, name="float")
    int8_file, _ = write_onnx(loaded.full_name, folder, name="int8", calibration=training)
    for speed in SPEEDS:
        for kind, predict in _predictors(loaded, speed, float_file, int8_file).items():
            views = views_at(speed, 18)
            rate, cpu_ms, single_ms = _times(predict, images, _FACES[views])
            right = ""
            if labels is not None and speed != "best":  # minutes for 18 views
                right = f"{(predict(images).argmax(1) == labels).mean():.4f}"
            label = f"{kind}, {views} view{'s' if views > 1 else ''}"
            print(f"{label:<24}{rate:>9.0f}{cpu_ms:>8.2f}{single_ms:>11.2f}{right:>10}", flush=True)


def _predictors(
    loaded: LoadedModel, speed: str, float_file: Path, int8_file: Path
) -> dict[str, Predict]:
    def onnx(file: Path) -> Predict:
        model: OnnxModel = open_onnx(file)
        return lambda images: model.predict(images, views_at(speed, model.facts.views))

    return {
        "torch": loaded.at_speed(speed).predict,
        "onnx": onnx(float_file),
        "onnx int8": onnx(int8_file),
    }


def _times(predict: Predict, images: np.ndarray, num_faces: int) -> tuple[float, float, float]:
    """Faces/s in batches, processor time of a face in ms, and ms for a single face."""
    batch = images[:num_faces]
    predict(batch)
    elapsed, processor = [], []
    for _ in range(_REPETITIONS):
        start, start_cpu = time.perf_counter(), time.process_time()
        predict(batch)
        elapsed.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_cpu)
    singles = []
    for number in range(_SINGLES):
        start = time.perf_counter()
        predict(images[number : number + 1])
        singles.append(time.perf_counter() - start)
    return (
        num_faces / min(elapsed),
        1e3 * min(processor) / num_faces,
        1e3 * float(np.median(singles)),
    )


def _images(table: Path | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """PublicTest of a table with its labels, and training images; else noise."""
    if table is None:
        noise = np.random.default_rng(0).integers(0, 256, (512, 48, 48), dtype=np.uint8)
        return noise, None, noise
    import pandas as pd

    rows = pd.read_parquet(table)
    test = rows[rows["Usage"] == "PublicTest"]
    train = rows[rows["Usage"] == "Training"].sample(256, random_state=0)
    return _decoded(test["png"]), test["emotion"].to_numpy(), _decoded(train["png"])


def _decoded(files: Iterable[bytes]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


def _start_up() -> None:
    """Seconds of `ferflow predict` for one picture, best of three."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "face.png"
        Image.new("L", (48, 48), 90).save(picture)
        command = [sys.executable, "-m", "deployments", "predict", str(picture)]
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    print(f"\nferflow predict, one picture, start to end: {min(seconds):.1f} s")


if __name__ == "__main__":
    main()
