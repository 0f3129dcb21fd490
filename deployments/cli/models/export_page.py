"""`ferflow models export-page`: a page that runs a model in the browser."""

import shlex
from pathlib import Path

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from fer_models.bundles.speed import DEFAULT_SPEED, SPEEDS, Speed


@click.command(name="export-page")
@click.argument("model_id")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Path(path_type=Path),
    help="The npm package onnxruntime-web (.tgz), or a folder with it.  [default: downloaded]",
)
@click.option(
    "--speed",
    type=click.Choice(SPEEDS),
    default=DEFAULT_SPEED,
    show_default=True,
    help="Views of each face, as for `ferflow predict`.",
)
@store_option
@reporting
def export_page(
    model_id: str, folder: Path, runtime: Path | None, speed: Speed, store_url: str | None
) -> Produced:
    """Write a page to FOLDER that runs MODEL_ID in the browser: no picture leaves the machine.

    MODEL_ID is `champion`, an id, `bundled`, `bundled:NAME` or a bundle's file. Any static web
    server can serve the folder; it holds the model as an ONNX file, and onnxruntime-web, which is
    downloaded from the npm registry once.

    \b
    ferflow models export-page bundled:face_cnn public/
    python -m http.server --directory public --bind 127.0.0.1 8000
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    from deployments.browser_page.write import write_browser_page
    from fer_models.bundles.names import needs_store

    store = open_store(store_url) if needs_store(model_id) else None
    with progress_display():
        page = write_browser_page(model_id, folder, store, runtime=runtime, speed=speed)
    quoted = shlex.quote(str(folder))
    print_facts(
        {
            "page": f"{folder} ({page.num_bytes / 1e6:.1f} MB)",
            "model": page.model,
            "next": f"python -m http.server --directory {quoted} --bind 127.0.0.1 8000",
        }
    )
    return {"folder": str(folder), "model": page.model, "bytes": page.num_bytes}
