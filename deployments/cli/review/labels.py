"""The option `--decisions` of commands that ingest: people's labels of chosen faces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from deployments.cli.output import Produced, print_facts
from fer_models.errors import ConfigError
from fer_models.ingest.config import DataConfig
from fer_models.storage.store import ArtifactStore

F = TypeVar("F", bound=Callable[..., Any])


def labels_option(function: F) -> F:
    """Add `--decisions`."""
    return click.option(
        "--decisions",
        "decisions_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Labels of new faces, from the page of `ferflow review --unlabelled` or as JSON from "
        "Label Studio; stored, and added to the data from now on.",
    )(function)


def apply_decisions(store: ArtifactStore, path: Path | None, data: DataConfig) -> Produced:
    """Publish the labels of a file, if there is one, and say what became of them.

    Raises:
        ConfigError: the configuration ignores such labels.
        DataError: the file can't be used; lists all problems.
    """
    if path is None:
        return {}
    if not data.labelled:
        raise ConfigError("data.labelled=false ignores --decisions; remove one of them")
    from fer_models.selection.labels import apply_labels

    applied = apply_labels(store, path)
    for note in applied.notes:
        click.echo(f"not applied: {note}", err=True)
    version = applied.version.version if applied.version else None
    text = f"{applied.labelled} labelled, {applied.not_a_face} not a face"
    if applied.withdrawn:
        text += f", {applied.withdrawn} withdrawn"
    print_facts({"decisions": f"{text}; version {version or 'none'} of the labels is in force"})
    return {
        "labelled": applied.labelled,
        "not_a_face": applied.not_a_face,
        "withdrawn": applied.withdrawn,
        "labels_version": version,
        "not_applied": list(applied.notes),
    }
