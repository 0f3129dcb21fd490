"""What a drift measurement found: its measures, and reading them from the store."""

from pydantic import BaseModel, ConfigDict

from fer_models.storage.refs import DriftRef
from fer_models.storage.store import ArtifactStore

REPORT_FILE = "report.html"
RESULT_FILE = "drift.json"


class Measure(BaseModel):
    """One figure with its threshold."""

    model_config = ConfigDict(frozen=True)
    group: str
    """`image`, `embedding`, `class` or `accuracy`."""
    name: str
    value: float
    """The figure that is compared with `limit`."""
    limit: float
    p_value: float | None
    """Probability of a difference of this size by chance; None if the measure can't be judged."""
    fired: bool
    judged: bool = True
    observed: str
    threshold: str
    text: str
    """The finding as a sentence."""
    details: dict[str, float]
    """Further figures, by name."""

    @property
    def outcome(self) -> str:
        """`drift`, `no` or `not judged`."""
        if not self.judged:
            return "not judged"
        return "drift" if self.fired else "no"


def read_measures(store: ArtifactStore, drift: DriftRef) -> list[Measure]:
    """The measures of a stored drift; none if there were too few images.

    Raises:
        StoreError: the artifact is missing or damaged.
    """
    rows = store.read_json(drift, RESULT_FILE)["measures"]
    return [Measure.model_validate(row) for row in rows]
