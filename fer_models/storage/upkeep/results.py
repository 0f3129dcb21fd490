"""Cached results of tasks: which artifacts they refer to."""

import json
from collections.abc import Iterator
from typing import Any

from fer_models.storage.upkeep.contents import KIND_FOLDERS


def artifacts_in(text: str) -> frozenset[str]:
    """The names, `<folder>/<id>`, of the artifacts that a cached result refers to.

    A reference has the id and the URL of an artifact, which ends in its name. Other texts don't
    count: the path of a store or of a source may contain the name of a kind, too.

    Example:
        artifacts_in('{"result": {"id": "a-1", "url": "s3://bucket/models/store/models/a-1"}}')
        # {"models/a-1"}
    """
    return frozenset(f"{folder}/{fields['id']}" for folder, fields in references_in(text))


def references_in(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All references in a cached result: the folder of the artifact, and the fields.

    Args:
        value: a cached result, or a part of one; it holds its value as JSON text.
    """
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        folder = _folder_of(value)
        if folder:
            yield folder, value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from references_in(part)


def _folder_of(fields: dict[str, Any]) -> str:
    """The kind of artifact that the fields refer to; "" if they are no reference."""
    url, artifact_id = fields.get("url"), fields.get("id")
    if not isinstance(url, str) or not isinstance(artifact_id, str):
        return ""
    before, separator, last = url.rpartition("/")
    folder = before.rpartition("/")[2]
    return folder if separator and last == artifact_id and folder in KIND_FOLDERS else ""
