"""Kill what ferflow runs, at random, for a while; count what was lost.

    python -m tests.soak --minutes 60 --seed 0 --json soak.json

The same seed draws the same kills; where they hit depends on the machine. The exit code is 1 if
something was lost.
"""

import argparse
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from fer_models.lineage import machine, machine_text
from tests.soak import scenarios, services
from tests.soak.figures import Episode, Figures
from tests.soak.scenarios import Reference

Scenario = Callable[[random.Random, Reference], Episode]
# By weight: how often each is drawn.
SCENARIOS: dict[Scenario, int] = {
    scenarios.killed_run: 6,
    scenarios.killed_search: 2,
    scenarios.killed_collection: 2,
    scenarios.two_at_once: 2,
    services.killed_server: 2,
    services.killed_queue: 1,
    services.killed_object_store: 2,
    services.killed_node: 2,
}


def soak(
    figures: Figures,
    chosen: list[Scenario],
    reference: Reference,
    save: Callable[[Figures], None],
) -> None:
    """Draw scenarios until the time is up; each of them is seen once before any is repeated."""
    minutes, draw = figures.minutes, random.Random(figures.seed)
    until_s = time.monotonic() + 60 * minutes
    first = list(chosen)
    draw.shuffle(first)
    while first or time.monotonic() < until_s:
        if first and time.monotonic() >= until_s and figures.episodes:
            break
        scenario = first.pop() if first else draw.choices(chosen, [SCENARIOS[c] for c in chosen])[0]
        start_s = time.monotonic()
        try:
            episode = scenario(draw, reference)
        except Exception:  # noqa: BLE001 - the others go on
            episode = Episode(scenario.__name__, 0, problems=[traceback.format_exc()[-1500:]])
        episode.seconds = round(time.monotonic() - start_s, 1)
        figures.episodes.append(episode)
        save(figures)
        print(
            f"{episode.seconds:6.0f} s  {episode.scenario}: {', '.join(episode.kills)}", flush=True
        )
        for problem in episode.problems:
            print(f"          {problem}", flush=True)


def main() -> None:
    """Parse the options, soak, and print the figures."""
    names = {scenario.__name__: scenario for scenario in SCENARIOS}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--only", action="append", choices=sorted(names), help="repeatable")
    arguments = parser.parse_args()
    chosen = [names[name] for name in arguments.only or names]

    def save(figures: Figures) -> None:
        if arguments.json:
            arguments.json.write_text(figures.as_json())

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started ends, too
    figures = Figures(arguments.minutes, arguments.seed, machine_text(machine()))
    with Reference() as reference:
        soak(figures, chosen, reference, save)
    print(figures.table())
    sys.exit(1 if figures.summary()["problems"] else 0)


if __name__ == "__main__":
    main()
