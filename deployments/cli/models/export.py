"""`ferflow models export`: export a stored network or ensemble as a weight bundle."""

import shlex
from pathlib import Path
from typing import Any, get_args

import click

from deployments.cli.models.card import card_text
from deployments.cli.options import open_store, refuse, store_option, without_effect
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from fer_models.bundles.names import is_bundle
from fer_models.errors import FerError
from fer_models.inference.open_model import stored_model
from fer_models.output_file import write_output
from fer_models.progress import warn
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA

_CARD_SUFFIX = ".md"


@click.command()
@click.argument("model_id")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--command",
    "training_command",
    default="",
    metavar="TEXT",
    help="Command that trained the model, recorded in the bundle.",
)
@click.option(
    "--tta",
    type=click.Choice(get_args(TTA)),
    help="Test-time augmentation of the bundle.  [default: the member's]",
)
@click.option("--name", default="", help="Name of the files.  [default: the model's]")
@click.option("--onnx", "as_onnx", is_flag=True, help="Write one ONNX file instead of a bundle.")
@click.option(
    "--without-weights",
    is_flag=True,
    help="With --onnx: read the weights of a bundle from its file in FOLDER.",
)
@click.option(
    "--int8", is_flag=True, help="With --onnx: whole numbers of 8 bits, a quarter as large."
)
@click.option(
    "--images",
    metavar="SOURCE",
    help="With --int8: pictures to calibrate on.  [default: the training images of a stored model]",
)
@store_option
@reporting
def export(
    model_id: str,
    folder: Path,
    training_command: str,
    tta: TTA | None,
    name: str,
    as_onnx: bool,
    without_weights: bool,
    int8: bool,
    images: str | None,
    store_url: str | None,
) -> Produced:
    """Write model MODEL_ID (or `champion`) to FOLDER as a weight bundle or an ONNX file.

    `ferflow predict --model FOLDER/NAME.json` predicts with a bundle on any machine, without a
    store. A bundle is two files, the weights in half precision and their metadata; that of an
    ensemble has a file of weights for each network. Weights of a bundle that is in FOLDER already
    are not written again. The model card is written beside them, if its figures can still be made.

    With --onnx, MODEL_ID may also be `bundled`, `bundled:NAME` or a bundle's file. The ONNX file
    takes pictures of any size and needs no other file; torch is not needed to run it.
    """
    _check_options(model_id, as_onnx, without_weights, int8)
    if as_onnx:
        options = {"name": name, "tta": tta, "with_weights": not without_weights}
        return _export_onnx(model_id, folder, store_url, options, (int8, images))
    store = open_store(store_url)
    model = stored_model(store, model_id)
    from fer_models.bundles.shipped import BundleFiles
    from fer_models.inference.export import write_bundle

    with progress_display():
        facts = write_bundle(store, model, folder, name=name, command=training_command, tta=tta)
        card = _written_card(store, model, folder / f"{facts.name}{_CARD_SUFFIX}")
    bundle = BundleFiles(folder, facts.name)
    weights = [Path(str(file)) for file, _ in bundle.weights(facts)]
    files = [*weights, Path(str(bundle.facts)), *card]
    accuracy = {key: value.model_dump() for key, value in facts.accuracy.items()}
    print_facts(
        {
            "bundle": str(bundle.facts),
            **({"card": str(card[0])} if card else {}),
            "weights": ", ".join(f"{one} ({one.stat().st_size / 1e6:.2f} MB)" for one in weights),
            **{key: f"{value.accuracy:.4f} n={value.n}" for key, value in facts.accuracy.items()},
            **_final_note(facts.final_fit_of),
            "next": f"ferflow predict --model {shlex.quote(str(bundle.facts))} PATH...",
        }
    )
    return {
        "model": model.id,
        "name": facts.name,
        "files": [str(file) for file in files],
        "weights_sha256": facts.weights_sha256,
        "accuracy": accuracy,
        "final_fit_of": facts.final_fit_of,
    }


def _final_note(final_fit_of: str) -> dict[str, str]:
    if not final_fit_of:
        return {}
    return {"note": f"a final fit; its accuracy on validation images is that of {final_fit_of}"}


def _check_options(model: str, as_onnx: bool, without_weights: bool, int8: bool) -> None:
    problems = []
    if is_bundle(model) and not as_onnx:
        problems.append(
            f"{model}: expected a stored model, got a bundle; add --onnx to export an ONNX file"
        )
    if as_onnx:
        advice = "recorded in a bundle only, not with --onnx; omit it"
        problems += without_effect(["training_command"], advice)
    else:
        advice = "only with --onnx; add it, or omit the option"
        problems += without_effect(["without_weights", "int8"], advice)
    if int8 and without_weights:
        problems.append("--int8 and --without-weights: the weights of an int8 file are its own")
    if not int8:
        advice = "for the calibration of --int8; add that, or omit the option"
        problems += without_effect(["images"], advice)
    refuse(problems)


def _export_onnx(
    model: str,
    folder: Path,
    store_url: str | None,
    options: dict[str, Any],
    calibration: tuple[bool, str | None],
) -> Produced:
    from fer_models.inference.export_onnx import calibration_images, write_onnx

    store = None if is_bundle(model) else open_store(store_url)
    int8, images = calibration
    with progress_display():
        if int8:
            options["calibration"] = calibration_images(model, store, images)
        path, facts = write_onnx(model, folder, store, **options)
    print_facts(
        {
            "file": f"{path} ({path.stat().st_size / 1e6:.2f} MB)",
            "model": facts.model,
            "classes": ", ".join(facts.classes),
            "views": str(facts.views),
            "precision": facts.precision,
            **_same_answers(facts.same_answers),
            **{key: f"{one.accuracy:.4f} n={one.n}" for key, one in facts.accuracy.items()},
            "next": f"ferflow predict --model {shlex.quote(str(path))} PATH...",
        }
    )
    return {"file": str(path), **facts.model_dump(mode="json")}


def _same_answers(share: float | None) -> dict[str, str]:
    if share is None:
        return {}
    return {"same answers": f"{share:.1%} of the calibration images, by int8 and float32"}


def _written_card(store: ArtifactStore, model: ModelRef, path: Path) -> list[Path]:
    """The file of the model card; a warning and nothing if its figures can't be made any more."""
    try:
        text = card_text(store, model)
    except FerError as error:
        warn("export", f"no model card: {error.message}")
        return []
    write_output(path, text)
    return [path]
