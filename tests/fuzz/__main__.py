"""`make fuzz`: mutated inputs for every reader, and a table of what they answered.

make fuzz                                  # 400 inputs a reader
make fuzz ARGS="--inputs 50 --seed 3 --reader recipe"
"""

import argparse
import sys
import time
import warnings

from tests.fuzz.readers import all_readers
from tests.fuzz.run import fuzz


def main() -> int:
    """Print a row a reader as it ends, then every crash; 1 if there was one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=400, help="mutated inputs for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", default="", help="only readers whose name contains this")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start, total, crashes = time.monotonic(), 0, []
    print("| reader | inputs | read | refused | crashed or hung | slowest |")
    print("|---|---|---|---|---|---|")
    for reader in all_readers():
        if options.reader not in reader.name:
            continue
        one = fuzz(reader, options.inputs, options.seed)
        total += one.num_inputs
        crashes += one.crashes
        row = (one.reader, one.num_inputs, one.num_read, one.num_refused, len(one.crashes))
        print(f"| {' | '.join(map(str, row))} | {one.slowest_s:.1f} s |", flush=True)
    print(f"\n{total} inputs in {time.monotonic() - start:.0f} s, seed {options.seed}")
    for crash in crashes:
        print(f"  - {crash}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
