"""Publish Prefect artifacts: what the UI shows about a finished task or flow run."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext, TaskRunContext

from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.digits import shown_row
from tasks.artifacts.links import is_web_address, markdown_link, page_link


def publish_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Publish rows as a table, numbers with sensible digits; a no-op outside a run."""
    if _in_run():
        table = [shown_row(row) for row in rows]
        create_table_artifact(key=artifact_key(key), table=table, description=description)


def publish_markdown(key: str, text: str, description: str) -> None:
    """Publish Markdown; a no-op outside a run."""
    if _in_run():
        create_markdown_artifact(key=artifact_key(key), markdown=text, description=description)


def publish_link(key: str, url: str, description: str) -> None:
    """Publish a link to a file of the store; a no-op outside a run.

    Without a page server (see `tasks.artifacts.links`) the URL is published as Markdown: a browser
    opens neither `file://` nor `s3://` from the UI.
    """
    link = page_link(url)
    if not is_web_address(link):
        publish_markdown(key, markdown_link(description, url), description)
    elif _in_run():
        create_link_artifact(
            key=artifact_key(key), link=link, link_text=description, description=url
        )


def embedded_images(store: ArtifactStore, ref: ArtifactRef, files: Iterable[str]) -> list[str]:
    """PNG files of an artifact as Markdown data URLs: Prefect's UI can't read the store."""
    return [
        f"![{file}](data:image/png;base64,{base64.b64encode(content).decode()})"
        for file in files
        if (content := store.read_file(ref, file))
    ]


def artifact_key(text: str) -> str:
    """Prefect allows only lowercase letters, digits and dashes in artifact keys."""
    return "".join(
        char if char.isascii() and char.isalnum() else "-" for char in text.lower()
    ).strip("-")


def _in_run() -> bool:
    return TaskRunContext.get() is not None or FlowRunContext.get() is not None
