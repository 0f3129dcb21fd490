"""How long one command takes from a table of faces to an accuracy, and where its curve goes.

    python -m tests.benchmarks.bench_accuracy --images fer2013.parquet --recipe fer2013-quick

Runs `ferflow run` in a process and a store of its own, with empty caches, and reads what a person
would read: the seconds that stand before every line of progress, and the accuracies at the end.
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

from tests.benchmarks.plots import plot_courses

GOALS = (0.65, 0.7014)  # people; the best network of the notebook project
_LINE = re.compile(r"\[\s*([\d.]+) s\] train .*?(\d+)/\d+ epochs.*validation accuracy ([\d.]+)")


@dataclass(frozen=True)
class Course:
    """One run: accuracy (0..1) of one view after each epoch, and of the finished models.

    `seconds` count from the start of the command; `models` hold accuracy and n by model and split.
    """

    recipe: str
    seconds: tuple[float, ...]
    accuracies: tuple[float, ...]
    total_s: float
    models: dict[str, dict[str, dict[str, float]]]

    def seconds_to(self, accuracy: float) -> float | None:
        """Of the command, until an epoch reached that accuracy; None: never."""
        for second, reached in zip(self.seconds, self.accuracies, strict=True):
            if reached >= accuracy:
                return second
        return None

    @property
    def finished(self) -> float:
        """Accuracy on the validation split of the best finished model, with all of its views."""
        return max(splits["validation"]["accuracy"] for splits in self.models.values())

    def took_s(self, accuracy: float) -> float | None:
        """What the whole command took, if it ended with a model of that accuracy; None if not."""
        return self.total_s if self.finished >= accuracy else None


def bench_accuracy(images: Path, recipe: str, options: Sequence[str] = ()) -> Course:
    """Run a recipe once on a table of faces, everything anew."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "deployments", "run", "--json"]
        command += ["--data", str(images), "--recipe", recipe, "--store", f"{folder}/store"]
        environment = os.environ | {"XDG_CACHE_HOME": folder, "PREFECT_HOME": f"{folder}/prefect"}
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 3):  # 3: the gate said no
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return read_course(recipe, done.stderr, json.loads(done.stdout.splitlines()[-1]))


def read_course(recipe: str, progress: str, produced: dict[str, Any]) -> Course:
    """What the lines of progress of a run and its JSON object say."""
    found = [match for line in progress.splitlines() if (match := _LINE.search(line))]
    return Course(
        recipe=recipe,
        seconds=tuple(float(match[1]) for match in found),
        accuracies=tuple(float(match[3]) for match in found),
        total_s=float(produced["seconds"]),
        models={model["name"]: model["splits"] for model in produced["models"]},
    )


def told(course: Course) -> str:
    """The figures in words."""
    lines = [f"{course.recipe}: {course.total_s:.0f} s in all"]
    for goal in GOALS:
        took_s, reached_s = course.took_s(goal), course.seconds_to(goal)
        whole = "not reached" if took_s is None else f"reached by the command in {took_s:.0f} s"
        view = "never" if reached_s is None else f"after {reached_s:.0f} s"
        lines.append(f"  {goal:.2%} of the validation images: {whole}; by one view {view}")
    for name, splits in course.models.items():
        for split, scores in splits.items():
            lines.append(f"  {name}, {split}: {scores['accuracy']:.2%}, n = {scores['n']}")
    return "\n".join(lines)


def main() -> None:
    """Run, print the figures, and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="table of labelled faces")
    parser.add_argument("--recipe", action="append", help="default: fer2013-quick")
    parser.add_argument("--plot", type=Path, help="where the picture of the curves goes (PNG)")
    arguments, options = parser.parse_known_args()
    courses = []
    for recipe in arguments.recipe or ["fer2013-quick"]:
        courses.append(bench_accuracy(arguments.images, recipe, options))
        print(told(courses[-1]), flush=True)
    if arguments.plot:
        plot_courses(courses, GOALS, arguments.plot)
        print(f"plot: {arguments.plot}")


if __name__ == "__main__":
    main()
