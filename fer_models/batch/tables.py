"""The tables of a stored batch, as parquet: pictures, predictions and faces.

* `pictures.parquet`: a row a picture. `path`, `state` (see `Place`), `sha256` of the file ("" if it
  was not read), `faces` (how many were predicted), `reason` (why there is none, else "").
* `predictions.parquet`: a row a face. `path`, `face` (0..), `label`, `confidence`, `p_<class>` in
  class order, `left`, `top`, `right`, `bottom` in pixels (null: the whole picture), and
  `detection_score` and `unfamiliarity` (0..1, null if unknown).
* `faces.parquet`: a row a face. `path`, `face`, and `png`: the image as the model received it.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_models.inference.picture import PredictedFace

if TYPE_CHECKING:
    import pyarrow as pa

PICTURES_FILE = "pictures.parquet"
PREDICTIONS_FILE = "predictions.parquet"
FACES_FILE = "faces.parquet"
_BOX = ("left", "top", "right", "bottom")


@dataclass
class BatchTables:
    """Collects the rows of a batch; K classes."""

    classes: tuple[str, ...]
    pictures: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[dict[str, Any]] = field(default_factory=list)
    faces: list[dict[str, Any]] = field(default_factory=list)

    def add_picture(self, path: str, state: str, sha256: str, faces: int, reason: str) -> None:
        """Add a picture."""
        row = {"path": path, "state": state, "sha256": sha256, "faces": faces, "reason": reason}
        self.pictures.append(row)

    def add_face(
        self, path: str, number: int, face: PredictedFace, image: npt.NDArray[np.uint8]
    ) -> None:
        """Add a face, with the image that the model received."""
        box = face.box or (None,) * len(_BOX)
        self.predictions.append(
            {
                "path": path,
                "face": number,
                "label": face.label,
                "confidence": face.confidence,
                **{f"p_{name}": face.probabilities[name] for name in self.classes},
                **dict(zip(_BOX, box, strict=True)),
                "detection_score": face.detection_score,
                "unfamiliarity": face.unfamiliarity,
            }
        )
        self.faces.append({"path": path, "face": number, "png": png_bytes(image)})

    def counts(self) -> dict[str, int]:
        """Faces by label, in class order."""
        labels = [row["label"] for row in self.predictions]
        return {name: labels.count(name) for name in self.classes}

    def unreadable(self) -> int:
        """Pictures without a face."""
        return sum(not row["faces"] for row in self.pictures)

    def files(self) -> dict[str, bytes]:
        """The three files."""
        return {
            PICTURES_FILE: _parquet(self.pictures, self._pictures_schema()),
            PREDICTIONS_FILE: _parquet(self.predictions, self._predictions_schema()),
            FACES_FILE: _parquet(self.faces, self._faces_schema()),
        }

    @staticmethod
    def _pictures_schema() -> "pa.Schema":
        import pyarrow as pa

        texts = [(name, pa.string()) for name in ("path", "state", "sha256")]
        return pa.schema([*texts, ("faces", pa.int32()), ("reason", pa.string())])

    def _predictions_schema(self) -> "pa.Schema":
        import pyarrow as pa

        probabilities = [f"p_{name}" for name in self.classes]
        return pa.schema(
            [
                *_face_key(),
                ("label", pa.string()),
                *((name, pa.float32()) for name in ("confidence", *probabilities)),
                *((name, pa.int32()) for name in _BOX),
                *((name, pa.float32()) for name in ("detection_score", "unfamiliarity")),
            ]
        )

    @staticmethod
    def _faces_schema() -> "pa.Schema":
        import pyarrow as pa

        return pa.schema([*_face_key(), ("png", pa.binary())])


def png_bytes(image: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of an image, S x S grey or S x S x 3 RGB, bit for bit."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG")
    return buffer.getvalue()


def _face_key() -> "list[tuple[str, pa.DataType]]":
    import pyarrow as pa

    return [("path", pa.string()), ("face", pa.int32())]


def _parquet(rows: Sequence[dict[str, Any]], schema: "pa.Schema") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), buffer, compression="zstd")
    return buffer.getvalue()
