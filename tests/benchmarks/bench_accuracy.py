"""Time that `ferflow run` takes from a table of faces to a given accuracy, and its curve.

    python -m tests.benchmarks.bench_accuracy --images fer2013.parquet --recipe fer2013-quick

Runs the command in a separate process with a new store and empty caches, and parses its output: the
time of every progress line, and the final accuracies.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.plots import plot_runs

GOALS = (0.65, 0.7014)  # human accuracy; the best network of the notebook project
_LINE = re.compile(r"\[\s*([\d.]+) s\] train .*?(\d+)/\d+ epochs.*validation accuracy ([\d.]+)")


@dataclass(frozen=True)
class AccuracyCurve:
    """One run: validation accuracy by epoch, and the scores of the finished models.

    Attributes:
        recipe: name of the recipe.
        seconds: end of each epoch, since the start of the command.
        accuracies: validation accuracy (0..1) after each epoch, without TTA.
        total_s: duration of the command.
        models: accuracy and n by model and split.
    """

    recipe: str
    seconds: tuple[float, ...]
    accuracies: tuple[float, ...]
    total_s: float
    models: dict[str, dict[str, dict[str, float]]]

    def seconds_to(self, accuracy: float) -> float | None:
        """Time until an epoch reached the accuracy without TTA; None if none did."""
        for second, reached in zip(self.seconds, self.accuracies, strict=True):
            if reached >= accuracy:
                return second
        return None

    @property
    def final_accuracy(self) -> float:
        """Validation accuracy of the best finished model, with TTA."""
        return max(splits["validation"]["accuracy"] for splits in self.models.values())

    def total_s_if_reached(self, accuracy: float) -> float | None:
        """Duration of the command if its best model reached the accuracy, else None."""
        return self.total_s if self.final_accuracy >= accuracy else None


def bench_accuracy(images: Path, recipe: str, options: Sequence[str] = ()) -> AccuracyCurve:
    """Run a recipe once on a table of faces, with a new store and empty caches."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "deployments", "run", "--json"]
        command += ["--data", str(images), "--recipe", recipe, "--store", f"{folder}/store"]
        environment = os.environ | {"XDG_CACHE_HOME": folder, "PREFECT_HOME": f"{folder}/prefect"}
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 3):  # 3: the candidate was not promoted
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return parse_run(recipe, done.stderr, json.loads(done.stdout.splitlines()[-1]))


def parse_run(recipe: str, progress: str, produced: dict[str, Any]) -> AccuracyCurve:
    """Parse the progress lines of a run, and the JSON object that it printed."""
    found = [match for line in progress.splitlines() if (match := _LINE.search(line))]
    return AccuracyCurve(
        recipe=recipe,
        seconds=tuple(float(match[1]) for match in found),
        accuracies=tuple(float(match[3]) for match in found),
        total_s=float(produced["seconds"]),
        models={model["name"]: model["splits"] for model in produced["models"]},
    )


def summary_text(curve: AccuracyCurve) -> str:
    """The results as text."""
    lines = [f"{curve.recipe}: {curve.total_s:.0f} s in total"]
    for goal in GOALS:
        total_s, epoch_s = curve.total_s_if_reached(goal), curve.seconds_to(goal)
        command = "not reached" if total_s is None else f"reached by the command in {total_s:.0f} s"
        epoch = "not reached" if epoch_s is None else f"after {epoch_s:.0f} s"
        lines.append(f"  validation accuracy {goal:.2%}: {command}; without TTA {epoch}")
    for name, splits in curve.models.items():
        for split, scores in splits.items():
            lines.append(f"  {name}, {split}: {scores['accuracy']:.2%}, n = {scores['n']}")
    return "\n".join(lines)


def main() -> None:
    """Run the recipes, print the results and plot the curves."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="table of labelled faces")
    parser.add_argument("--recipe", action="append", help="default: fer2013-quick")
    parser.add_argument("--plot", type=Path, help="PNG file for a plot of the curves")
    arguments, options = parser.parse_known_args()
    curves = []
    for recipe in arguments.recipe or ["fer2013-quick"]:
        curves.append(bench_accuracy(arguments.images, recipe, options))
        print(summary_text(curves[-1]), flush=True)
    if arguments.plot:
        plot_runs(curves, GOALS, arguments.plot)
        print(f"plot: {arguments.plot}")


if __name__ == "__main__":
    main()
