"""Requests of 200 clients at once against one at a time: `make bench-serve`.

The server runs in this process on loopback, as `ferflow serve` does; clients are threads of it. The
ratio of the two throughputs depends little on the machine.

    make bench-serve ARGS='--requests 400 --model bundled:face_cnn'
"""

import argparse
import io

import numpy as np
from PIL import Image

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.server import InferenceServer
from deployments.inference_server.settings import ServingConfig
from tests.benchmarks.load import Load, send

CLIENTS = 200
_ALONE = 40


def faces(count: int) -> list[bytes]:
    """PNG files of FER2013's size; what they show costs nothing more or less."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(count):
        data = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(data, "PNG")
        files.append(data.getvalue())
    return files


def measure(model: str, requests: int) -> dict[str, Load]:
    """The loads by name: one at a time, and all clients at once."""
    pictures = faces(requests)
    with (
        InferenceService(model, None, ServingConfig()) as service,
        InferenceServer(service, port=0) as server,
    ):
        send(server.url, pictures[:4], clients=1)
        return {
            "one at a time": send(server.url, pictures[:_ALONE], clients=1),
            f"{CLIENTS} at once": send(server.url, pictures, clients=CLIENTS),
        }


def main() -> None:
    """Print a row for each load, and the ratio of their throughputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    loads = measure(given.model, max(given.requests, CLIENTS))
    print(f"{'load':>15}  {'n':>5}  {'lost':>4}  {'p50 ms':>7}  {'p95 ms':>7}  {'1/s':>7}")
    for name, load in loads.items():
        p50, p95 = load.percentile_ms(50), load.percentile_ms(95)
        numbers = f"{len(load.statuses):>5}  {load.lost:>4}  {p50:>7.0f}  {p95:>7.0f}"
        print(f"{name:>15}  {numbers}  {load.per_second:>7.1f}")
    alone, together = loads.values()
    print(f"throughput ratio {together.per_second / alone.per_second:.1f}")


if __name__ == "__main__":
    main()
