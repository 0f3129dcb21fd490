"""Publish Prefect artifacts: what the UI shows about a finished task."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from tasks.stage import in_task_run


def publish_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Publish rows as a table; a no-op outside a task run."""
    if in_task_run():
        create_table_artifact(
            key=_slug(key), table=[dict(row) for row in rows], description=description
        )


def publish_markdown(key: str, text: str, description: str) -> None:
    """Publish Markdown; a no-op outside a task run."""
    if in_task_run():
        create_markdown_artifact(key=_slug(key), markdown=text, description=description)


def publish_link(key: str, url: str, description: str) -> None:
    """Publish a link; a no-op outside a task run."""
    if in_task_run():
        create_link_artifact(key=_slug(key), link=url, description=description)


def embedded_images(store: ArtifactStore, ref: ArtifactRef, files: Iterable[str]) -> list[str]:
    """PNG files of an artifact as Markdown data URLs: Prefect's UI can't read the store."""
    return [
        f"![{file}](data:image/png;base64,{base64.b64encode(content).decode()})"
        for file in files
        if (content := store.read_file(ref, file))
    ]


def _slug(key: str) -> str:
    """Prefect allows only lowercase letters, digits and dashes in artifact keys."""
    return "".join(char if char.isalnum() else "-" for char in key.lower()).strip("-")
