"""`ferflow predict`: predict facial expressions in pictures and videos."""

from typing import Any

import click

from deployments.cli.options import (
    is_given,
    min_face_option,
    refuse,
    store_option,
    without_effect,
)
from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from deployments.cli.prediction.predictor import BUNDLED, search_problems
from deployments.environment import set_quiet_defaults

_ONLY_FOR_VIDEO = ("fps", "smooth", "seconds")


@click.command(name="predict")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--model",
    "model_name",
    default=BUNDLED,
    show_default=True,
    metavar="NAME",
    help="bundled, bundled:NAME, a bundle or ONNX file, champion, or the id of a stored model.",
)
@click.option(
    "--speed",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
    help="fast: read each face once. balanced: also its mirror image. best: all views.",
)
@click.option("--run", "run_text", metavar="RUN", help="Use the candidate of this run instead.")
@click.option(
    "--faces",
    type=click.Choice(["auto", "crop", "detect"]),
    default="auto",
    show_default=True,
    help="crop: each picture shows one face, cropped as in FER2013. detect: search for faces. "
    "auto: decide for each picture; in a video, search.",
)
@min_face_option
@click.option(
    "--out",
    metavar="FILE",
    help="Write all predictions: .csv, .json, .jsonl or .parquet; of a video .csv or .jsonl.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "json", "jsonl", "parquet"]),
    help="Format of --out.  [default: by its ending]",
)
@click.option(
    "--annotate",
    metavar="FOLDER",
    help="Draw boxes and probabilities into copies of the pictures, in a new or empty folder; of a "
    "video into a file (.mp4, .mkv, .webm, .avi).",
)
@click.option("--video", metavar="FILE|0", help="Predict a video, or the camera of this number.")
@click.option(
    "--fps",
    type=click.FloatRange(0, 240, min_open=True),
    metavar="RATE",
    help="Frames a second of a video to analyse.  [default: 5]",
)
@click.option(
    "--smooth",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Time constant of the smoothing of a face's probabilities; 0: none.  [default: 0.5]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop at this time of a video.",
)
@store_option
@reporting
def command(paths: tuple[str, ...], video: str | None, **options: Any) -> Produced:
    """Predict the facial expressions in all pictures of PATH..., or in a video.

    PATH is a picture, a folder, a pattern ('*.jpg'), a zip or tar archive, or - for a picture on
    standard input. Pictures that can't be read or show no face are reported. A path that does not
    exist is an error; nothing is written then.

    \b
    ferflow predict photo.jpg
    ferflow predict faces/ more.zip --out expressions.csv
    ferflow predict 'holiday/*.jpg' --annotate annotated/
    ferflow predict --video clip.mp4 --out faces.csv --annotate clip-faces.mp4
    ferflow predict faces/ --model champion --store s3://bucket/prefix --out expressions.parquet
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    _check(paths, video, options)
    if video is not None:
        from deployments.cli.prediction.video import predict_video

        return predict_video(video, options)
    from deployments.cli.prediction.pictures import predict_pictures

    return predict_pictures(paths, options)


def _check(paths: tuple[str, ...], video: str | None, options: dict[str, Any]) -> None:
    if video is None and not paths:
        raise click.UsageError("Missing argument 'PATH...' (or --video FILE).")
    problems = []
    if video is not None and paths:
        problems.append(
            f"--video {video} and PATH {paths[0]}: pass only one of them; call the command twice"
        )
    if is_given("run_text") and is_given("model_name"):
        problems.append(
            f"--run {options['run_text']} and --model {options['model_name']}: pass only one of "
            "them"
        )
    if video is None:
        advice = "only for a video; pass --video FILE, or omit it"
        problems += without_effect(_ONLY_FOR_VIDEO, advice)
    if options["out"] is None:
        advice = "only with --out FILE; add it, or omit the option"
        problems += without_effect(["file_format"], advice)
    refuse([*problems, *search_problems(options["faces"])])
