"""`ferflow predict --video`: the faces of a video or camera, tracked over time."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from deployments.cli.options import attempt, raise_all
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.prediction.outputs import output_problems
from deployments.cli.prediction.predictor import face_settings, open_named
from fer_models.errors import FerError
from fer_models.inference.results.files import check_target
from fer_models.user_input import user_path
from fer_models.video.analyse import VideoOutputs, VideoSummary, analyse_video
from fer_models.video.files import video_format
from fer_models.video.frames import open_video
from fer_models.video.predict_video import VideoSettings
from fer_models.video.write import check_codec

_MAX_TRACKS = 20


def predict_video(source: str, options: Mapping[str, Any]) -> Produced:
    """Predict a video and show or write the results.

    Raises:
        FerError: all problems of the input together.
    """
    errors: list[FerError] = []
    with ExitStack() as stack:
        video = attempt(lambda: stack.enter_context(open_video(source)), errors)
        outputs = _check_outputs(options, errors)
        read = [] if video is None or video.is_camera else [str(user_path(source))]
        errors += output_problems(outputs.file, outputs.annotated, read)
        model = attempt(lambda: open_named(options), errors)
        raise_all(errors)
        assert video is not None
        assert model is not None
        if video.is_camera:
            click.echo(f"reading {video.name}; end with Ctrl-C", err=True)
        stack.enter_context(progress_display())
        summary = analyse_video(video, model, _settings(options), outputs, options["seconds"])
    _show(summary, outputs)
    return {
        "video": video.name,
        "model": model.name,
        "out": str(outputs.file) if outputs.file else None,
        "annotated": str(outputs.annotated) if outputs.annotated else None,
        "frames": summary.num_frames,
        "seconds": round(summary.duration_s, 3),
        "tracks": {str(track): dict(counts) for track, counts in summary.tracks.items()},
        "counts": summary.counts,
        "interrupted": summary.was_interrupted,
    }


def _settings(options: Mapping[str, Any]) -> VideoSettings:
    given = {"rate": options["fps"], "time_constant_s": options["smooth"]}
    faces = "detect" if options["faces"] == "auto" else options["faces"]
    known = {name: value for name, value in given.items() if value is not None}
    return VideoSettings(faces=faces, search=face_settings(options), **known)


def _check_outputs(options: Mapping[str, Any], errors: list[FerError]) -> VideoOutputs:
    """Where results go; problems are added to `errors`."""
    out, annotate = options["out"], options["annotate"]
    file = annotated = form = None
    if out is not None:
        file = attempt(lambda: check_target(Path(out)), errors)
        form = attempt(lambda: video_format(Path(out), options["file_format"]), errors)
    if annotate is not None:
        annotated = attempt(lambda: _annotated(Path(annotate)), errors)
    return VideoOutputs(file, form or "csv", annotated)


def _annotated(path: Path) -> Path:
    check_codec(path)
    return check_target(path)


def _show(summary: VideoSummary, outputs: VideoOutputs) -> None:
    if summary.was_interrupted:
        click.echo("interrupted; what was read until then is kept", err=True)
    click.echo(f"{'face':>4}  {'frames':>6}  most often")
    for track, counts in list(summary.tracks.items())[:_MAX_TRACKS]:
        most = ", ".join(f"{label} {count}" for label, count in counts.most_common(3))
        click.echo(f"{track:>4}  {counts.total():>6}  {most}")
    if len(summary.tracks) > _MAX_TRACKS:
        click.echo(f"... and {len(summary.tracks) - _MAX_TRACKS} more faces")
    facts = {"analysed": f"{summary.num_frames} frames, {summary.duration_s:.1f} s"}
    if outputs.file is not None:
        facts["out"] = str(outputs.file)
    if outputs.annotated is not None:
        facts["annotated"] = str(outputs.annotated)
    print_facts(facts)
