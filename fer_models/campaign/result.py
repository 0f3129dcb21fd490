"""The result of one training of a campaign, as a small JSON file and its predictions.

N validation images, K classes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from fer_models.base_config import FrozenConfig
from fer_models.errors import DataError

VIEWS = ("none", "flip", "affine")
"""Test-time augmentation that every network is measured with: 1, 2 and 18 views."""

LABELS = "labels"
"""Name of the class numbers among the predictions, which are named by their views."""

Arrays = Mapping[str, npt.NDArray[Any]]


class Score(FrozenConfig):
    """Validation images that a network gets right: all of them, and those not seen in training."""

    correct: int = Field(ge=0, description="Of all `n`.")
    n: int = Field(ge=1, description="Number of validation images.")
    unseen_correct: int = Field(ge=0, description="Of the `unseen_n`.")
    unseen_n: int = Field(ge=0, description="Those without an exact copy among training images.")

    @property
    def accuracy(self) -> float:
        """0..1."""
        return self.correct / self.n


class TrainingResult(FrozenConfig):
    """Figures and lineage of one training; a final fit has no scores."""

    key: str = Field(description="What it depends on, see `Task.key`.")
    experiment: str = Field(description="Name of the experiment.")
    seed: int = Field(description="Seed of all random numbers.")
    is_final: bool = Field(description="Whether it is a final fit.")
    scores: dict[str, Score] = Field(description="By test-time augmentation, see `VIEWS`.")
    model_id: str = Field(description="Id of the stored model.")
    snapshot_id: str = Field(description="The images it was trained on.")
    parameters: int = Field(description="Number of weights.")
    multiply_adds: int = Field(description="Of one view of one image.")
    epochs: int = Field(description="Length of the schedule.")
    best_epoch: int = Field(description="The epoch that was kept.")
    train_seconds: float = Field(description="Training alone.")
    machine: str = Field(description="Where it ran.")
    lineage: dict[str, Any] = Field(
        default={}, description="Code, packages, teachers, as of the model."
    )
    member: dict[str, Any] = Field(description="Network and training.")
    finished: str = Field(description="Time of the end, UTC.")

    @property
    def name(self) -> str:
        """Such as `large, seed 1`."""
        return f"{self.experiment}, {'final fit' if self.is_final else f'seed {self.seed}'}"


class ResultsFolder:
    """Results in a folder: `<key>.json` and, with its predictions, `<key>.npz`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, result: TrainingResult, predictions: Arrays) -> None:
        """Write predictions (N x K by kind of views, labels N), then the figures."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{result.key}.npz"
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **predictions)  # type: ignore[arg-type]
        partial.replace(self.predictions_file(result.key))
        write_text(self.file(result.key), result.model_dump_json(indent=1) + "\n")

    def file(self, key: str) -> Path:
        """The figures of a training."""
        return self.folder / f"{key}.json"

    def predictions_file(self, key: str) -> Path:
        """The predictions of a training."""
        return self.folder / f"{key}.npz"

    def read(self, key: str) -> TrainingResult | None:
        """The result of a training; None if there is none.

        Raises:
            DataError: the file is damaged.
        """
        file = self.file(key)
        return parse_result(file.read_bytes(), str(file)) if file.exists() else None

    def read_predictions(self, key: str) -> Arrays:
        """The predictions of a training; none for a final fit, or if they are not there."""
        file = self.predictions_file(key)
        if not file.exists():
            return {}
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def read_all(self) -> list[TrainingResult]:
        """All results, in no order that means anything.

        Raises:
            DataError: a file is damaged.
        """
        return [parse_result(file.read_bytes(), str(file)) for file in self._files()]

    def _files(self) -> list[Path]:
        return sorted(file for file in self.folder.glob("*.json") if file.name[0] != ".")


def parse_result(content: bytes, where: str) -> TrainingResult:
    """A result from the bytes of its file.

    Raises:
        DataError: it is something else.
    """
    try:
        return TrainingResult.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise DataError(
            f"{where}: expected the result of a training of this version ({place}: "
            f"{first['msg']}); remove the file, and it is trained again"
        ) from error


def write_text(file: Path, text: str) -> None:
    """Write a file atomically."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
