"""Predict videos in a line of Python."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from fer_models.api.predict import load_model
from fer_models.bundles.names import BUNDLED
from fer_models.bundles.speed import DEFAULT_SPEED, Speed
from fer_models.inference.expression_model import ExpressionModel
from fer_models.video.frames import open_video
from fer_models.video.predict_video import FramePrediction, VideoSettings, predict_frames

if TYPE_CHECKING:
    import pandas as pd


class VideoPrediction(Sequence[FramePrediction]):
    """The analysed frames of a video, in order.

    Example:
        found = fer_models.predict_video("clip.mp4")
        found.to_frame().pivot_table(index="time_s", columns="track", values="p_happy").plot()
    """

    def __init__(self, frames: Sequence[FramePrediction], classes: Sequence[str]) -> None:
        self._frames = tuple(frames)
        self.classes = tuple(classes)
        """Of the model, in its order."""

    def __len__(self) -> int:
        """Number of analysed frames."""
        return len(self._frames)

    @overload
    def __getitem__(self, number: int) -> FramePrediction: ...
    @overload
    def __getitem__(self, number: slice) -> "VideoPrediction": ...
    def __getitem__(self, number: int | slice) -> "FramePrediction | VideoPrediction":
        """The frame of a number, or those of a slice."""
        if isinstance(number, slice):
            return VideoPrediction(self._frames[number], self.classes)
        return self._frames[number]

    def __iter__(self) -> Iterator[FramePrediction]:
        """Each analysed frame."""
        return iter(self._frames)

    def __repr__(self) -> str:
        """The numbers of frames and faces."""
        tracks = {one.track for frame in self._frames for one in frame.faces}
        return f"<{len(self)} frames, {len(tracks)} faces>"

    def to_frame(self) -> "pd.DataFrame":
        """One row per face and frame; see `video_table`."""
        from fer_models.video.files import video_table

        return video_table(self._frames, self.classes)


def predict_video(
    source: str | os.PathLike[str],
    *,
    model: str | ExpressionModel = BUNDLED,
    speed: Speed = DEFAULT_SPEED,
    seconds: float | None = None,
    **settings: Any,
) -> VideoPrediction:
    """Find the faces of a video, follow them, and predict their expressions over time.

    Args:
        source: a video file, or the number of a camera as text (with `seconds`).
        model: a name, see `load_model`, or a loaded model.
        speed: of a model given by name; see `load_model`.
        seconds: stop at this time of the video.
        settings: of `VideoSettings`: `rate` (frames a second to analyse, 5 by default),
            `time_constant_s`, ...

    Raises:
        DataError: there is no such file or camera, or it is no video.
        StoreError: the model does not exist.
        ValueError: a setting is out of range.

    Example:
        fer_models.predict_video("clip.mp4", rate=10).to_frame()
    """
    chosen = VideoSettings(**settings)
    opened = model if isinstance(model, ExpressionModel) else load_model(model, speed=speed)
    frames: list[FramePrediction] = []
    with open_video(os.fspath(source)) as video:
        for predicted, _ in predict_frames(video, opened, chosen):
            if predicted is None or (seconds is not None and predicted.time_s > seconds):
                break
            frames.append(predicted)
    return VideoPrediction(frames, opened.classes)
