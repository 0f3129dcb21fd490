"""Metadata of a weight bundle: the content of `<name>.json`."""

import json
import re
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fer_models.base_config import FrozenConfig
from fer_models.bundles.speed import Speed
from fer_models.combination.stored import Combination, joint_sha256
from fer_models.dataset.image_format import THUMBNAIL_PX
from fer_models.errors import StoreError
from fer_models.models.config import NetworkConfig
from fer_models.onnx_files.facts import FormatFacts
from fer_models.training.config import TTA

WEIGHTS_SUFFIX = ".safetensors"
FACTS_SUFFIX = ".json"
_GREY_LEVEL = 1 / 255
_INPUT_FIELDS = {"image_size_px", "in_channels"}
_SHA256_PATTERN = "^[0-9a-f]{64}$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"


class MeasuredAccuracy(FrozenConfig):
    """Accuracy, 0..1, on `n` images."""

    accuracy: float = Field(ge=0, le=1)
    n: int = Field(ge=1)


def _without_duplicates(classes: list[str]) -> list[str]:
    doubled = sorted({name for name in classes if classes.count(name) > 1})
    if doubled:
        raise ValueError(f"expected different classes, got {', '.join(doubled)} more than once")
    return classes


ClassNames = Annotated[
    list[Annotated[str, Field(min_length=1, strict=True)]],
    Field(min_length=2),
    AfterValidator(_without_duplicates),
]


def _at_least_a_grey_level(std: float) -> float:
    # As trainings write it; a far smaller one is 0 in float32, and every probability is NaN.
    if std < _GREY_LEVEL:
        raise ValueError(f"expected at least {_GREY_LEVEL:.4f} (a grey level), got {std:g}")
    return std


class SpeedFacts(FrozenConfig):
    """What a speed costs and gives."""

    views: int = Field(ge=1)
    """Views of each face that are computed."""
    multiply_adds: int = Field(ge=0)
    """Of a face, over all networks and views."""
    accuracy: dict[str, MeasuredAccuracy] = Field(default_factory=dict)
    """By evaluation set."""
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Of a single network: what calibrates its probabilities at this speed, fitted to validation
    images. None: not calibrated, or the combination of an ensemble does it."""
    faces_per_s: float | None = Field(default=None, gt=0)
    """In batches, on `machine`; None: not measured."""
    machine: str = ""


class PreprocessingFacts(BaseModel):
    """The fields of a `Preprocessing`; others are allowed."""

    model_config = ConfigDict(frozen=True, extra="allow")
    image_size_px: int = Field(ge=16, le=512)
    in_channels: Literal[1, 3]
    mean: float = Field(ge=0, le=1)
    std: Annotated[float, Field(gt=0, le=1), AfterValidator(_at_least_a_grey_level)]
    classes: ClassNames
    tta: TTA = "none"
    image_format: FormatFacts = FormatFacts(size_px=THUMBNAIL_PX, channels=1, fit="stretch")


class MemberFacts(BaseModel):
    """The `MemberConfig` of the training: only the network must be valid in this version."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str
    network: NetworkConfig


def _check_same_input(network: NetworkConfig, preprocessing: PreprocessingFacts) -> None:
    given = network.model_dump(include=_INPUT_FIELDS, exclude_none=True)
    problems = [
        f"{name}: expected {expected}, that of the network, got {getattr(preprocessing, name)}"
        for name, expected in given.items()
        if getattr(preprocessing, name) != expected
    ]
    if problems:
        raise ValueError("; ".join(problems))


class CommonFacts(FrozenConfig):
    """What is known of every bundle."""

    name: str = Field(pattern=NAME_PATTERN)
    classes: ClassNames
    weights_sha256: str = Field(pattern=_SHA256_PATTERN)
    """Of the file of weights; of an ensemble, see `joint_sha256`."""
    command: str
    """The command that trained the networks; empty if unknown."""
    seed: int
    train_seconds: float
    machine: str
    date: str
    """Day of the export, such as 2026-11-24."""
    accuracy: dict[str, MeasuredAccuracy]
    """By evaluation set: `validation`, `validation_unseen`, ..."""
    final_fit_of: str = ""
    """The model that a final fit repeats on training and validation images together. Accuracies on
    validation images, also those of `speeds`, are that model's. Empty for any other model."""
    speeds: dict[Speed, SpeedFacts] = Field(default_factory=dict)
    """Accuracy and cost at each speed; empty if they were not measured."""
    snapshot_id: str
    """The dataset it was trained on."""
    ferflow: str
    """The ferflow version of the training."""
    familiarity: str = ""
    """How unlike the training's faces an image looks, see `FaceFamiliarity`; empty if unknown."""

    @property
    def validation_accuracy(self) -> float:
        """The validation accuracy; -1 if it was not measured."""
        measured = self.accuracy.get("validation")
        return measured.accuracy if measured else -1.0


class BundleFacts(CommonFacts):
    """A network."""

    member: MemberFacts
    preprocessing: PreprocessingFacts

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        _check_same_input(self.member.network, self.preprocessing)
        return self

    @property
    def class_orders(self) -> list[list[str]]:
        """All class orders, which must be the same."""
        return [self.classes, self.preprocessing.classes]

    @property
    def temperatures(self) -> dict[int, float]:
        """By number of views: what calibrates the probabilities. Empty: nothing."""
        known = {one.views: one.temperature for one in self.speeds.values()}
        return {views: found for views, found in known.items() if found is not None}


class WeightsFile(FrozenConfig):
    """The weights of one network, in a file beside the metadata."""

    name: str = Field(pattern=NAME_PATTERN.removesuffix("$") + re.escape(WEIGHTS_SUFFIX) + "$")
    sha256: str = Field(pattern=_SHA256_PATTERN)


class BundledMember(FrozenConfig):
    """A network of an ensemble; its weights may be those of another bundle."""

    model_id: str
    weights: WeightsFile
    seed: int
    train_seconds: float
    member: MemberFacts
    preprocessing: PreprocessingFacts

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        _check_same_input(self.member.network, self.preprocessing)
        return self


class EnsembleFacts(CommonFacts):
    """An ensemble: its networks in the order of the rule, and how they are combined."""

    members: list[BundledMember] = Field(min_length=1)
    combination: Combination

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        expected = self.combination.rule.num_members
        if len(self.members) != expected:
            raise ValueError(f"expected {expected} members, got {len(self.members)}")
        joint = joint_sha256(member.weights.sha256 for member in self.members)
        if self.weights_sha256 != joint:
            raise ValueError(f"weights_sha256: expected {joint}, that of the members' files")
        return self

    @property
    def class_orders(self) -> list[list[str]]:
        """All class orders, which must be the same."""
        return [self.classes, *(member.preprocessing.classes for member in self.members)]


def read_facts(file: Traversable) -> BundleFacts | EnsembleFacts:
    """The metadata of a bundle.

    Raises:
        StoreError: the file is missing or damaged, or its class orders differ; lists all problems.
    """
    text = read_bytes(file)
    try:
        facts = _parsed(text)
    except ValidationError as error:
        raise StoreError(
            f"{file}: expected the metadata of a weight bundle; copy it again, or use a bundle of "
            "this version",
            [_problem_text(problem) for problem in error.errors(include_url=False)],
        ) from error
    for classes in facts.class_orders:
        if len(set(facts.classes)) < 2 or facts.classes != classes:
            raise StoreError(
                f"{file}: expected the same two or more classes in `classes` and `preprocessing`, "
                f"got {', '.join(facts.classes) or 'none'} and {', '.join(classes) or 'none'}; "
                "predictions would get wrong labels; export the model again"
            )
    return facts


def read_bytes(file: Traversable) -> bytes:
    """The bytes of one of the files.

    Raises:
        StoreError: it can't be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{file}: can't read this file of a weight bundle ({error.strerror}); a bundle is "
            f"<name>{FACTS_SUFFIX} and <name>{WEIGHTS_SUFFIX} in the same folder, of an ensemble "
            f"<name>{FACTS_SUFFIX} and the {WEIGHTS_SUFFIX} files that it names"
        ) from error


def _parsed(text: bytes) -> BundleFacts | EnsembleFacts:
    is_ensemble = isinstance(found := _json(text), dict) and "combination" in found
    facts_type = EnsembleFacts if is_ensemble else BundleFacts
    return facts_type.model_validate_json(text)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # the validation reports where it is damaged


def _problem_text(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
