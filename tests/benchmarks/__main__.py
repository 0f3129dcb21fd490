"""Runs all benchmarks of the data stages one after the other: `make bench-data`.

    make bench-data                                            # synthetic images
    make bench-data ARGS="--images fer2013_with_votes.parquet" # also real ones (about 20 minutes)
    make bench-data ARGS="--images ... --pays"                 # also the gain by cleaning (an hour)

The options are those of `bench_cleaning`; the other benchmarks only use `--images`.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.bench_ingest import IMAGES_VARIABLE

_ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Run each benchmark in a separate process; return 1 if any of them fails."""
    environment = dict(os.environ)
    if "--images" in arguments[:-1]:
        images = Path(arguments[arguments.index("--images") + 1]).absolute()
        environment[IMAGES_VARIABLE] = str(images)
    codes = []
    for name in ("bench_ingest", "bench_validate", "bench_non_faces", "bench_cleaning"):
        print(f"\n== {name} ==", flush=True)
        options = arguments if name == "bench_cleaning" else []
        command = [sys.executable, "-m", f"tests.benchmarks.{name}", *options]
        codes.append(subprocess.run(command, env=environment, cwd=_ROOT, check=False).returncode)
    return int(any(codes))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
