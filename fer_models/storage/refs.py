"""References to artifacts: small and serialisable, passed between flows and tasks."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

NETWORK = "network"
"""`ModelRef.kind` of one trained, imported or averaged network."""
ENSEMBLE = "ensemble"
"""`ModelRef.kind` of a rule that combines the probabilities of several networks."""


class ArtifactRef(BaseModel):
    """Reference to an artifact: its id (unique within its kind) and its full URL.

    Built by `ArtifactStore.ref`, and returned by `ArtifactStore.put`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ClassVar[str] = "artifacts"
    id: str
    url: str

    @property
    def store_url(self) -> str:
        """The URL of the store that the artifact is in."""
        return self.url.removesuffix(f"/{self.folder}/{self.id}")


class SnapshotRef(ArtifactRef):
    """A dataset snapshot; the id is a hash of its content."""

    folder: ClassVar[str] = "datasets"


class ValidationRef(ArtifactRef):
    """The outcome of the data gate."""

    folder: ClassVar[str] = "validations"
    passed: bool
    num_errors: int
    num_warnings: int


class CopiesRef(ArtifactRef):
    """Which images of a snapshot show the same picture."""

    folder: ClassVar[str] = "copies"


class ScoresRef(ArtifactRef):
    """Out-of-fold label and image quality scores: no scored image was trained on."""

    folder: ClassVar[str] = "scores"


class DecisionsRef(ArtifactRef):
    """One version of the human review decisions about single images."""

    folder: ClassVar[str] = "decisions"
    version: int


class ExplorationRef(ArtifactRef):
    """Charts and HTML page about a dataset; report_url is the page."""

    folder: ClassVar[str] = "explorations"
    report_url: str


class TuningRef(ArtifactRef):
    """The trials of a hyperparameter search and its best setting."""

    folder: ClassVar[str] = "tunings"


class ModelRef(ArtifactRef):
    """A trained network or an ensemble of networks, by `kind`."""

    folder: ClassVar[str] = "models"
    name: str
    kind: str = NETWORK


class FoldRef(ArtifactRef):
    """A member's network for one fold, with its predictions of the images that it did not see."""

    folder: ClassVar[str] = "folds"
    name: str
    """The member."""
    fold: int
    """0.. of the fold that was left out."""


class EvaluationRef(ArtifactRef):
    """Metrics of one model on one snapshot."""

    folder: ClassVar[str] = "evaluations"
    model_id: str


class EnsembleRef(ArtifactRef):
    """The ensembles that were built, and the model selected on the validation split."""

    folder: ClassVar[str] = "ensembles"
    candidate: ModelRef
    """The single model or ensemble with the best validation score."""
    ensembles: tuple[ModelRef, ...]
    """One ensemble per method, in the order of the config."""


class PromotionRef(ArtifactRef):
    """The decision of the promotion gate about a candidate."""

    folder: ClassVar[str] = "promotions"
    promoted: bool
    candidate_id: str
    champion_id: str | None
    """The champion that the candidate was compared with."""
    reason: str
    final_fit_id: str | None = None
    """The candidate's final fit, if that one was promoted."""
    judged: bool = True
    """False: the candidate was the champion already, and no criterion was judged."""

    @property
    def verdict(self) -> str:
        """The decision in a few words."""
        if not self.judged:
            return "champion already"
        return "promoted to champion" if self.promoted else "not promoted"

    @property
    def champion_now(self) -> str | None:
        """The champion after the decision."""
        promoted_id = self.final_fit_id or self.candidate_id
        return promoted_id if self.promoted else self.champion_id


class ReviewRef(ArtifactRef):
    """A page on which a person reviews images; page_url is the HTML file."""

    folder: ClassVar[str] = "reviews"
    page_url: str


class DriftRef(ArtifactRef):
    """How far recent images are from a champion's training data; report_url is the page."""

    folder: ClassVar[str] = "drifts"
    champion_id: str
    num_images: int
    """Distinct recent images."""
    judged: bool
    """False: there were too few images to judge by."""
    detected: bool
    """Whether a measure is over its threshold."""
    report_url: str


class PredictionsRef(ArtifactRef):
    """A batch of predicted pictures; report_url is the page. Ids begin with the time in UTC."""

    folder: ClassVar[str] = "predictions"
    model_id: str
    """Full name of the model."""
    num_faces: int
    report_url: str


class SelectionRef(ArtifactRef):
    """Unlabelled faces that were chosen for people to label; page_url is the HTML file."""

    folder: ClassVar[str] = "selections"
    page_url: str


class LabelledRef(ArtifactRef):
    """One version of the faces that people have labelled."""

    folder: ClassVar[str] = "labelled"
    version: int


class RunRef(ArtifactRef):
    """The report and lineage of one run; report_url is the HTML page."""

    folder: ClassVar[str] = "runs"
    report_url: str


ARTIFACT_KINDS: tuple[type[ArtifactRef], ...] = (
    SnapshotRef,
    CopiesRef,
    ScoresRef,
    DecisionsRef,
    ReviewRef,
    ExplorationRef,
    ValidationRef,
    TuningRef,
    FoldRef,
    ModelRef,
    EvaluationRef,
    EnsembleRef,
    PromotionRef,
    RunRef,
    PredictionsRef,
    DriftRef,
    SelectionRef,
    LabelledRef,
)
"""Every kind of artifact, in the order in which a run makes them."""
