"""Settings of batch prediction."""

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.faces.found import FacesMode
from fer_models.faces.settings import DEFAULT_FACES, SHORTEST_FACE_PX


class PredictionConfig(FrozenConfig):
    """Which pictures are predicted, and by which model.

    Example:
        PredictionConfig(pictures=("s3://bucket/incoming",), model="champion")
    """

    pictures: tuple[str, ...] = Field(
        default=(),
        description="Pictures and folders of pictures, also in buckets (s3://...), that "
        "`predict-batch` looks for new pictures in.",
    )
    model: str = Field(
        default="champion",
        min_length=1,
        description="champion, the id of a stored model, bundled, or bundled:NAME.",
    )
    faces: FacesMode = Field(
        default="auto",
        description="crop: each picture is one face, cut out; detect: search for faces; auto: "
        "decide for each picture.",
    )
    min_face_px: int = Field(
        default=DEFAULT_FACES.min_size_px,
        ge=SHORTEST_FACE_PX,
        description="Smallest face to find in a photo: the longer side of its box, in pixels.",
    )
    redo: bool = Field(
        default=False,
        description="Predict again what only other models have predicted, such as an earlier "
        "champion. False: a picture is predicted once, by whichever model.",
    )
    batch_size: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="Pictures in one stored batch; a run that is killed loses at most one batch.",
    )
