"""Predict the expressions of all faces in a video, tracked and smoothed over time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.errors import DataError
from fer_models.faces.found import Box, FacesMode
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.video.frames import Frame, Video
from fer_models.video.smoothing import Smoother
from fer_models.video.tracking import Tracker

_BATCH = 16
# With the pixels of all frames. It is large, as small batches leave cores idle.
_BATCH_BYTES = 256 << 20


class VideoSettings(FrozenConfig):
    """How a video is analysed."""

    rate: float = Field(default=5.0, gt=0, le=240)
    """Frames a second to analyse."""
    time_constant_s: float = Field(default=0.5, ge=0)
    """Of the smoothing of probabilities, in seconds; 0: none."""
    min_overlap: float = Field(default=0.3, gt=0, le=1)
    """Intersection over union with where a face was seen last."""
    max_missing_s: float = Field(default=1.0, ge=0)
    """Seconds for which a face may be hidden and keep its track."""
    faces: FacesMode = "detect"
    """See `predict_pictures`."""
    search: FaceSettings = DEFAULT_FACES
    """Of the search for faces."""


DEFAULT_VIDEO = VideoSettings()


@dataclass(frozen=True)
class TrackedFace:
    """A face in a frame; `face` has smoothed probabilities. Track numbers begin at 0."""

    track: int
    face: PredictedFace


@dataclass(frozen=True)
class FramePrediction:
    """The faces of a frame that was analysed, or the reason why there is none."""

    frame: int
    """Number of the frame in the video, from 0."""
    time_s: float
    faces: tuple[TrackedFace, ...]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As in JSON output."""
        return {
            "frame": self.frame,
            "time_s": round(self.time_s, 3),
            "faces": [{"track": one.track, **one.face.as_dict()} for one in self.faces],
            "reason": self.reason,
        }


def predict_frames(
    video: Video,
    model: ExpressionModel,
    settings: VideoSettings = DEFAULT_VIDEO,
    *,
    decode_all: bool = False,
) -> Iterator[tuple[FramePrediction | None, list[Frame]]]:
    """The faces of each analysed frame, and the frames since the last one, up to this.

    At the end come the frames after the last analysed one, with None.

    Args:
        video: the open video.
        model: predicts the expressions.
        settings: which frames are analysed, and how.
        decode_all: give the pixels of the other frames, too.

    Raises:
        DataError: no frame can be read.
        FerError: what face detection needs is not installed.

    Example:
        with open_video("clip.mp4") as video:
            for predicted, _ in predict_frames(video, load_model()):
                print(predicted)
    """
    tracker = Tracker(settings.min_overlap, settings.max_missing_s)
    smoother = Smoother(settings.time_constant_s)
    waiting = _Waiting(video.frames(settings.rate, decode_all=decode_all))
    is_empty = True
    batch_size = 1 if video.is_camera else _BATCH
    while not waiting.is_at_end:
        for predicted in predict_pictures(
            waiting.pictures(), model, settings.faces, batch_size, settings.search
        ):
            is_empty = False
            group = waiting.next_group()
            yield _tracked(group[-1], predicted, tracker, smoother), group
    if is_empty:
        raise DataError(f"{video.name}: expected a video with frames, got none; check the file")
    yield None, waiting.next_group()


class _Waiting:
    """Frames that wait for a prediction, in groups; an analysed frame is the last of its group."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self.is_at_end = False
        self._frames = frames
        self._groups: deque[list[Frame]] = deque([[]])
        self._num_bytes = 0

    def pictures(self) -> Iterator[Picture]:
        """The next frames to analyse, until all that wait have too many bytes."""
        for frame in self._frames:
            self._groups[-1].append(frame)
            self._num_bytes += _num_bytes(frame)
            if frame.is_chosen:
                self._groups.append([])
                yield Picture(str(frame.number), pixels=frame.pixels)
                # Of the frames that are still waiting: a full batch was predicted meanwhile.
                if self._num_bytes >= _BATCH_BYTES:
                    return
        self.is_at_end = True

    def next_group(self) -> list[Frame]:
        """The group that has waited longest; it waits no more."""
        group = self._groups.popleft()
        self._num_bytes -= sum(map(_num_bytes, group))
        return group


def _num_bytes(frame: Frame) -> int:
    return 0 if frame.pixels is None else frame.pixels.nbytes


def _tracked(
    frame: Frame, predicted: PicturePrediction, tracker: Tracker, smoother: Smoother
) -> FramePrediction:
    assert frame.pixels is not None
    height, width = frame.pixels.shape[:2]
    whole: Box = (0, 0, width, height)
    tracks = tracker.update(frame.time_s, [face.box or whole for face in predicted.faces])
    faces = tuple(
        TrackedFace(track, smoother.update(track, frame.time_s, face))
        for track, face in zip(tracks, predicted.faces, strict=True)
    )
    return FramePrediction(frame.number, frame.time_s, faces, predicted.reason)
