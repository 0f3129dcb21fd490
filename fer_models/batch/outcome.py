"""The outcome of a run of batch prediction."""

from pydantic import BaseModel, ConfigDict

from fer_models.storage.refs import PredictionsRef


class BatchOutcome(BaseModel):
    """What a run of batch prediction has done."""

    model_config = ConfigDict(frozen=True)
    model: str
    """Of this run; as asked for, if there was nothing to predict."""
    found: int
    """Pictures in the folders and buckets."""
    known: int
    """Those that were predicted before, or still can't be read for the same reason."""
    batches: tuple[PredictionsRef, ...] = ()
    faces: int = 0
    without_face: int = 0
    """Pictures that can't be read, or show no face."""
    counts: dict[str, int] = {}
    """Faces by label, in class order."""

    @property
    def predicted(self) -> int:
        """Pictures that this run has read."""
        return self.found - self.known
