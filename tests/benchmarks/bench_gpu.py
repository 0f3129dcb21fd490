"""Seconds from a table of faces to the accuracy of a recipe's models, without Prefect.

    make bench-gpu ARGS='--images fer2013.parquet --recipe fer2013-gpu'

Made for machines that have a GPU and no more than the libraries of `fer_models`: the stages of
`ferflow run` that lead to a model (ingest, clean, split, train, ensemble) are called one after the
other in this process, on an empty store. Of label scores, tuning and what flows add there is none.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from deployments.recipes import load_config
from fer_models.cleaning.clean import clean_snapshot
from fer_models.dataset.snapshot import open_snapshot
from fer_models.dataset.split import split_snapshot
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.evaluate import is_leaked
from fer_models.evaluation.metrics import accuracy
from fer_models.evaluation.predictions import read_predictions
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.train import train_member
from flows.pipeline_config import PipelineConfig
from tests.benchmarks.plots import plot_reached

GOALS = (0.7014, 0.73)


@dataclass(frozen=True)
class Reached:
    """A finished model: when (seconds since the table was opened), and how good on validation.

    `unseen` is the accuracy on images whose pixels don't stand among the training images, too.
    """

    model: ModelRef
    seconds: float
    accuracy: float
    unseen: float
    num_images: int

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"{self.seconds:6.1f} s  {self.model.name}: {self.accuracy:.2%} of {self.num_images} "
            f"validation images, {self.unseen:.2%} of the unseen"
        )


def bench_gpu(config: PipelineConfig) -> Iterator[Reached]:
    """Every member as soon as it is trained, and the model chosen of all so far."""
    started_s = time.perf_counter()
    store = ArtifactStore(config.store)
    raw = ingest_sources(store, config.data, config.seed)
    cleaned = clean_snapshot(store, raw, config.cleaning)
    split = split_snapshot(store, cleaned, config.splitting, config.seed)
    snapshot = open_snapshot(store, split)
    unseen = ~is_leaked(snapshot, snapshot.positions("validation"))

    def reached(model: ModelRef) -> Reached:
        seconds = time.perf_counter() - started_s
        answers = read_predictions(store, snapshot, model)["validation"]
        return Reached(
            model,
            seconds,
            accuracy(answers.probs_NK, answers.labels),
            accuracy(answers.probs_NK[unseen], answers.labels[unseen]),
            len(answers.labels),
        )

    models: dict[str, ModelRef] = {}
    for member in config.members:
        teachers = [models[name] for name in member.teachers]
        models[member.name] = train_member(
            store, split, member, config.seed, config.tracking, teachers
        )
        yield reached(models[member.name])
        if len(models) > 1:
            combined = ensemble_models(store, split, list(models.values()), config.ensemble)
            yield reached(combined.candidate)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a recipe and print what was reached when."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="table of labelled faces")
    parser.add_argument("--recipe", default="fer2013-gpu")
    parser.add_argument("--store", help="keep the artifacts in this folder")
    parser.add_argument("--plot", type=Path, help="where the picture goes (PNG)")
    parser.add_argument("--set", action="append", default=[], help="path.to.field=value")
    options = parser.parse_args(arguments)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{options.recipe}, torch {torch.__version__}, {device}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        changes = {
            "data.sources": [str(options.images)],
            "store.url": options.store or f"{folder}/store",
            "tracking.mode": "disabled",
        }
        course = []
        for reached in bench_gpu(load_config(options.recipe, options.set, changes)):
            print(reached, flush=True)
            course.append(reached)
    if options.plot:
        plot_reached(course, GOALS, options.plot)
        print(f"plot: {options.plot}")


if __name__ == "__main__":
    main()
