"""Predictions as Python shows them: lists, data frames, pictures in a notebook."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from fer_models.inference.picture import Picture, PicturePrediction
from fer_models.inference.results.html import figure_html, figures_html
from fer_models.user_input import printable

if TYPE_CHECKING:
    import pandas as pd

_MAX_REPR = 3


@dataclass(frozen=True)
class PredictedPicture(PicturePrediction):
    """The faces of a picture, or the reason why there is none; a sequence of its faces.

    Example:
        predicted = fer_models.predict("photo.jpg")
        for face in predicted:
            print(face.label, face.confidence, face.box)
    """

    source: Callable[[], Picture] | None = field(default=None, repr=False, compare=False)
    """Gives the picture again, for a notebook; None: it is not kept."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per face; see `prediction_table`."""
        return _frame((self,))

    def _repr_html_(self) -> str:
        return figure_html(self, self.source)


class Predictions(Sequence[PredictedPicture]):
    """Predictions of several pictures, in order.

    Example:
        predictions = fer_models.predict(["faces/", "more.zip"])
        predictions.to_frame()[["path", "label", "confidence"]]
    """

    def __init__(self, pictures: Sequence[PredictedPicture]) -> None:
        self._pictures = tuple(pictures)

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._pictures)

    @overload
    def __getitem__(self, number: int) -> PredictedPicture: ...
    @overload
    def __getitem__(self, number: slice) -> "Predictions": ...
    def __getitem__(self, number: int | slice) -> "PredictedPicture | Predictions":
        """The prediction of a number, or those of a slice."""
        if isinstance(number, slice):
            return Predictions(self._pictures[number])
        return self._pictures[number]

    def __iter__(self) -> Iterator[PredictedPicture]:
        """Each picture's prediction."""
        return iter(self._pictures)

    def __repr__(self) -> str:
        """The number of pictures and the first of them."""
        shown = "".join(f"\n  {_line(picture)}" for picture in self._pictures[:_MAX_REPR])
        more = "\n  ..." if len(self) > _MAX_REPR else ""
        return f"<{len(self)} pictures, {sum(map(len, self))} faces{shown}{more}>"

    def to_frame(self) -> "pd.DataFrame":
        """One row per face, and one for each picture without any; see `prediction_table`."""
        return _frame(self._pictures)

    def _repr_html_(self) -> str:
        return figures_html([(picture, picture.source) for picture in self._pictures])


def _frame(pictures: Sequence[PredictedPicture]) -> "pd.DataFrame":
    from fer_models.inference.results.table import prediction_table

    return prediction_table(pictures)


def _line(picture: PredictedPicture) -> str:
    faces = ", ".join(f"{face.label} {face.confidence:.2f}" for face in picture)
    return f"{printable(picture.path)}: {faces or picture.reason}"
