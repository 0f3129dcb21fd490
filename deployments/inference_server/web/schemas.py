"""What the server answers, and how a request looks, for /openapi.json."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from deployments.inference_server.web.problems import Problem
from deployments.inference_server.web.uploads import JSON, MULTIPART, RAW, EncodedPictures

_FACE: dict[str, Any] = {
    "label": "happy",
    "confidence": 0.91,
    "probabilities": {"angry": 0.01, "happy": 0.91, "neutral": 0.08},
    "box": [212, 96, 356, 240],
    "landmarks": [[251.2, 150.4], [316.8, 149.1], [284.0, 181.7], [258.3, 207.5], [311.0, 206.2]],
    "detection_score": 0.998,
    "unfamiliarity": 0.42,
}
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

# Not tuples: FastAPI describes their items in a way that OpenAPI does not know.
BoxAnswer = Annotated[list[int], Field(min_length=4, max_length=4)]


class FaceAnswer(BaseModel):
    """A face and its expression."""

    label: str = Field(description="The most probable class.")
    confidence: float = Field(ge=0, le=1.001, description="Its probability, 0..1.")
    probabilities: dict[str, float] = Field(description="Of every class; they sum to 1.")
    box: BoxAnswer | None = Field(
        description="Left, top, right, bottom in pixels of the upright picture; null: all of it."
    )
    landmarks: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        description="Left eye, right eye, nose, corners of the mouth; empty for a crop."
    )
    detection_score: float | None = Field(
        description="Confidence of the face detector, 0..1; null for a crop."
    )
    unfamiliarity: float | None = Field(
        description="How little the face looks like those that the model was trained on, 0..1: "
        "the share of training faces that look more familiar; null: the model does not know."
    )


class PictureAnswer(BaseModel):
    """The faces of a picture, or the reason why there is none."""

    path: str = Field(description="The name of the file, or its number in the request.")
    faces: list[FaceAnswer]
    reason: str = Field(description="Why there is no face; empty if there are faces.")


class Timing(BaseModel):
    """Where the time went, in milliseconds."""

    waiting_ms: float = Field(description="In the queue.")
    predicting_ms: float = Field(description="Decoding, finding faces, predicting the batch.")
    total_ms: float = Field(description="From the arrival of the request to its answer.")
    batch_pictures: int = Field(description="Pictures of all requests that were predicted together")


class Predictions(BaseModel):
    """The answer to `POST /predict`."""

    model_config = {
        "json_schema_extra": {
            "example": {
                "model": "bundled:face_cnn_large",
                "pictures": [{"path": "party.jpg", "faces": [_FACE], "reason": ""}],
                "timing": {
                    "waiting_ms": 5.1,
                    "predicting_ms": 41.7,
                    "total_ms": 48.0,
                    "batch_pictures": 1,
                },
            }
        }
    }
    model: str = Field(description="The model that predicted.")
    pictures: list[PictureAnswer] = Field(description="In the order of the request.")
    timing: Timing


class Explanation(BaseModel):
    """The answer to `POST /explain`."""

    model: str
    label: str = Field(description="The class that is explained.")
    box: BoxAnswer | None = Field(
        description="The square of the picture that the map covers; null: the whole picture."
    )
    angle_deg: float = Field(description="By which the square is turned clockwise, in degrees.")
    image: str = Field(description="The map as a PNG data URL, transparent where nothing speaks.")


class ModelAnswer(BaseModel):
    """The answer to `GET /model`."""

    model: str
    classes: list[str]
    image_format: str = Field(description="What a face is resized to.")
    follows: str | None = Field(description="The alias that is followed; null: a fixed model.")
    loaded: str = Field(description="When it was loaded (UTC, ISO 8601).")
    heat_maps: bool = Field(description="Whether `POST /explain` works.")
    unfamiliarity: bool = Field(description="Whether faces unlike the training data are flagged.")
    calibrated: bool = Field(
        description="Whether the probabilities are scaled by a temperature that was fitted to "
        "validation images."
    )
    faces: str = Field(description="What pictures show, where a request does not say.")


class ChampionProblem(BaseModel):
    """Why the served model is not the current champion."""

    model: str | None = Field(description="The champion; null if the registry can't be read.")
    error: str
    since: float = Field(description="When this was seen, in seconds since 1970.")
    serving: str = Field(description="The model that is served instead.")


class Health(BaseModel):
    """The answer to `GET /health`."""

    status: str = Field(description="`ok`, or `degraded`: see `champion_problem`.")
    live: bool
    ready: bool
    model: str
    follows: str | None
    waiting_pictures: int
    uptime_s: float
    champion_problem: ChampionProblem | None


class State(BaseModel):
    """The answer of a probe."""

    status: str


class Block(BaseModel):
    """A part of a section: `text`, `items` or a table of `head` and `rows`."""

    heading: str
    text: str = ""
    items: list[str] = []
    head: list[str] = []
    rows: list[list[str]] = []


class CardSection(BaseModel):
    """A section of the model card."""

    title: str
    blocks: list[Block]


class Card(BaseModel):
    """The answer to `GET /model/card`."""

    model: str
    sections: list[CardSection]


def picture_body() -> dict[str, Any]:
    """The request body of an endpoint that takes pictures."""
    binary = {"type": "string", "format": "binary"}
    files = {"type": "array", "minItems": 1, "items": binary}
    form = {"type": "object", "required": ["pictures"], "properties": {"pictures": files}}
    encoded = EncodedPictures.model_json_schema(ref_template="#/components/schemas/{model}")
    encoded.pop("$defs")
    example = {"pictures": [{"name": "a.png", "data": _PIXEL}]}
    return {
        "requestBody": {
            "required": True,
            "content": {
                MULTIPART: {"schema": form},
                JSON: {"schema": encoded, "example": example},
                **{kind: {"schema": binary} for kind in RAW},
            },
        }
    }


def encoded_schemas() -> dict[str, Any]:
    """The schemas that `picture_body` refers to."""
    schema = EncodedPictures.model_json_schema(ref_template="#/components/schemas/{model}")
    return dict(schema["$defs"])


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of an endpoint, besides those of every one."""
    texts = {
        400: "The request is malformed or cut off.",
        401: "The token is missing or wrong.",
        403: "A page of another origin sent the request.",
        404: "There is nothing.",
        413: "The body, a picture or their number is too large.",
        415: "The content type is not supported.",
        421: "The host name is unknown.",
        422: "The content can't be used.",
        429: "Too many requests of this client; see Retry-After.",
        500: "The server failed; its log says why.",
        503: "Too much waits; see Retry-After.",
        504: "The time limit was exceeded.",
    }
    every = (401, 403, 421, 500)
    return {
        status: {"model": Problem, "description": texts[status]}
        for status in sorted({*every, *statuses})
    }
