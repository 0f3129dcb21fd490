"""Seconds from a table of faces to the accuracy of a recipe's models, without Prefect.

    make bench-gpu ARGS='--images fer2013.parquet --recipe fer2013-gpu'

For GPU machines that have only the libraries of `fer_models`. Calls the stages that lead to a model
(ingest, clean, split, train, ensemble) in this process, on an empty store. Label scores, tuning and
the rest of the flow are left out.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

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
from flows.recipes import load_config
from tests.benchmarks.plots import plot_models

GOALS = (0.7014, 0.73)


@dataclass(frozen=True)
class FinishedModel:
    """A finished model and its validation accuracy.

    Attributes:
        model: the network or ensemble.
        seconds: time since the table was opened.
        accuracy: validation accuracy (0..1).
        accuracy_without_leaks: the same on images whose exact pixels are not in training.
        num_images: number of validation images.
    """

    model: ModelRef
    seconds: float
    accuracy: float
    accuracy_without_leaks: float
    num_images: int

    def __str__(self) -> str:
        """One line of output."""
        return (
            f"{self.seconds:6.1f} s  {self.model.name}: validation accuracy {self.accuracy:.2%}, "
            f"n = {self.num_images}; {self.accuracy_without_leaks:.2%} without leaks"
        )


def bench_gpu(config: PipelineConfig) -> Iterator[FinishedModel]:
    """Yield every member when it is trained, and then the best model so far."""
    started_s = time.perf_counter()
    store = ArtifactStore(config.store)
    raw = ingest_sources(store, config.data, config.seed)
    cleaned = clean_snapshot(store, raw, config.cleaning)
    split = split_snapshot(store, cleaned, config.splitting, config.seed)
    snapshot = open_snapshot(store, split)
    unleaked = ~is_leaked(snapshot, snapshot.positions("validation"))

    def finished(model: ModelRef) -> FinishedModel:
        seconds = time.perf_counter() - started_s
        predictions = read_predictions(store, snapshot, model)["validation"]
        return FinishedModel(
            model,
            seconds,
            accuracy(predictions.probs_NK, predictions.labels),
            accuracy(predictions.probs_NK[unleaked], predictions.labels[unleaked]),
            len(predictions.labels),
        )

    models: dict[str, ModelRef] = {}
    for member in config.members:
        teachers = [models[name] for name in member.trained_teachers]
        models[member.name] = train_member(
            store, split, member, config.seed, config.tracking, teachers
        )
        yield finished(models[member.name])
        if len(models) > 1:
            # stacking needs scikit-learn, which such machines may lack
            means = config.ensemble.model_copy(update={"methods": ("soft_vote", "weighted")})
            combined = ensemble_models(store, split, list(models.values()), means)
            yield finished(combined.candidate)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a recipe and print every finished model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="table of labelled faces")
    parser.add_argument("--recipe", default="fer2013-gpu")
    parser.add_argument("--store", help="folder in which to keep the artifacts")
    parser.add_argument("--plot", type=Path, help="PNG file for a plot of the results")
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
        models = []
        for model in bench_gpu(load_config(options.recipe, options.set, changes)):
            print(model, flush=True)
            models.append(model)
    if options.plot:
        plot_models(models, GOALS, options.plot)
        print(f"plot: {options.plot}")


if __name__ == "__main__":
    main()
