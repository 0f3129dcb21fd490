"""Analyse a video from its beginning to its end, or until it is interrupted."""

import math
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import PredictedFace
from fer_models.progress import report
from fer_models.video.files import VideoFormat, video_file
from fer_models.video.frames import Frame, Video
from fer_models.video.predict_video import (
    DEFAULT_VIDEO,
    FramePrediction,
    VideoSettings,
    predict_frames,
)
from fer_models.video.write import AnnotatedVideo, annotated_video

_STAGE = "video"
Sink = Callable[[FramePrediction], object]


@dataclass
class VideoSummary:
    """What was found in a video, in numbers."""

    counts: dict[str, int]
    """Number of faces by label, over all analysed frames, in class order."""
    num_frames: int = 0
    """That were analysed."""
    duration_s: float = 0.0
    tracks: dict[int, Counter[str]] = field(default_factory=dict)
    """Frames by label, of each track."""
    was_interrupted: bool = False


@dataclass(frozen=True)
class VideoOutputs:
    """Where results go, as `check_target` returned it; None: nowhere."""

    file: Path | None = None
    form: VideoFormat = "csv"
    annotated: Path | None = None


def analyse_video(
    video: Video,
    model: ExpressionModel,
    settings: VideoSettings = DEFAULT_VIDEO,
    outputs: VideoOutputs | None = None,
    max_seconds: float | None = None,
) -> VideoSummary:
    """Predict a video and write the results; what was done until a Ctrl-C is kept.

    Args:
        video: the open video.
        model: predicts the expressions.
        settings: which frames are analysed, and how.
        outputs: files to write.
        max_seconds: stop at this time of the video.

    Raises:
        DataError: no frame can be read.
        FerError: a file can't be written, or what face detection needs is not installed.
    """
    wanted = outputs or VideoOutputs()
    summary = VideoSummary(dict.fromkeys(model.classes, 0))
    with ExitStack() as stack:
        sinks: list[Sink] = [lambda predicted: _count(summary, predicted)]
        annotated = None
        if wanted.file is not None:
            file = stack.enter_context(video_file(wanted.file, model.classes, wanted.form))
            sinks.append(file.add)
        if wanted.annotated is not None:
            annotated = stack.enter_context(annotated_video(wanted.annotated, video.frame_rate))
        try:
            end_s = math.inf if max_seconds is None else max_seconds
            _run(video, model, settings, sinks, annotated, end_s)
        except KeyboardInterrupt:
            if not summary.num_frames:
                raise
            summary.was_interrupted = True
    return summary


def _run(
    video: Video,
    model: ExpressionModel,
    settings: VideoSettings,
    sinks: list[Sink],
    annotated: AnnotatedVideo | None,
    end_s: float,
) -> None:
    last: FramePrediction | None = None
    predictions = predict_frames(video, model, settings, decode_all=annotated is not None)
    for predicted, frames in predictions:
        is_over = predicted is not None and predicted.time_s > end_s
        if predicted is not None and not is_over:
            last = predicted
            for sink in sinks:
                sink(predicted)
            _report(video, predicted)
        if annotated is not None and last is not None:
            _draw(annotated, frames, end_s, tuple(one.face for one in last.faces))
        frames.clear()  # their memory, before the next ones are decoded
        if is_over:
            return


def _draw(
    annotated: AnnotatedVideo, frames: list[Frame], end_s: float, faces: tuple[PredictedFace, ...]
) -> None:
    for frame in frames:
        if frame.pixels is not None and frame.time_s <= end_s:
            annotated.add(frame.pixels, faces)


def _count(summary: VideoSummary, predicted: FramePrediction) -> None:
    summary.num_frames += 1
    summary.duration_s = predicted.time_s
    for one in predicted.faces:
        summary.counts[one.face.label] += 1
        summary.tracks.setdefault(one.track, Counter())[one.face.label] += 1


def _report(video: Video, predicted: FramePrediction) -> None:
    shown = ", ".join(f"{one.track}: {one.face.label}" for one in predicted.faces[:4])
    total = max(video.num_frames, predicted.frame + 1) if video.num_frames else 0
    report(_STAGE, predicted.frame + 1, total, "frames", shown)
