"""Small, serialisable names of artifacts: what flows and tasks pass to each other."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class ArtifactRef(BaseModel):
    """An artifact of the store, by its id (unique within its kind) and its full URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ClassVar[str] = "artifacts"
    id: str
    url: str


class SnapshotRef(ArtifactRef):
    """A dataset snapshot; the id is the sha256 of its content."""

    folder: ClassVar[str] = "datasets"


class ValidationRef(ArtifactRef):
    """The outcome of the data gate."""

    folder: ClassVar[str] = "validations"
    passed: bool
    num_errors: int
    num_warnings: int


class ScoresRef(ArtifactRef):
    """How well each image's label and picture fit, by networks that never learned from it."""

    folder: ClassVar[str] = "scores"


class DecisionsRef(ArtifactRef):
    """What people decided about single images: one version of the store's decisions."""

    folder: ClassVar[str] = "decisions"
    version: int


class ExplorationRef(ArtifactRef):
    """Plots and a page about a dataset; report_url is the HTML page."""

    folder: ClassVar[str] = "explorations"
    report_url: str


class TuningRef(ArtifactRef):
    """The trials of a hyper-parameter search and its best setting."""

    folder: ClassVar[str] = "tunings"


class ModelRef(ArtifactRef):
    """A trained network, or an ensemble of them (kind says which)."""

    folder: ClassVar[str] = "models"
    name: str
    kind: str = "network"


class EvaluationRef(ArtifactRef):
    """Metrics of one model on one snapshot."""

    folder: ClassVar[str] = "evaluations"
    model_id: str


class EnsembleRef(ArtifactRef):
    """The ensembles that were tried, and the model chosen on the validation split."""

    folder: ClassVar[str] = "ensembles"
    candidate: ModelRef
    """The single model or ensemble with the best validation score."""
    ensembles: tuple[ModelRef, ...]
    """One ensemble model a method, in the order of the config."""


class PromotionRef(ArtifactRef):
    """What the promotion gate decided about a candidate."""

    folder: ClassVar[str] = "promotions"
    promoted: bool
    candidate_id: str
    champion_id: str | None
    """The champion that the candidate was compared with."""
    reason: str

    @property
    def champion_now(self) -> str | None:
        """The champion after the decision."""
        return self.candidate_id if self.promoted else self.champion_id


class RunRef(ArtifactRef):
    """The report and lineage of one run; report_url is the HTML page."""

    folder: ClassVar[str] = "runs"
    report_url: str
