"""The review page: a self-contained HTML file for decisions about single images."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from fer_models.dataset.snapshot import open_snapshot, open_table
from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES, VOTE_COLUMNS
from fer_models.output_file import write_output
from fer_models.plotting.page import page_environment
from fer_models.progress import report
from fer_models.review.config import DEFAULT_LIMIT
from fer_models.review.decisions import (
    current_decisions,
    empty_decisions,
    match_decisions,
    open_decisions,
)
from fer_models.review.items import collect_content
from fer_models.source_hash import source_hash
from fer_models.storage.refs import DecisionsRef, ReviewRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

# The source of this module and its imports is part of the key of a result.
_ENTRY = "fer_models.review.page"

PAGE_FILE = "review.html"
_MAX_DIGIT = 9  # more classes than digit keys are chosen from a list
CLEAN_COMMAND = "ferflow task clean"
_TABLE = "decisions"
_REQUIRED_COLUMNS = (
    "image_id",
    "label",
    "reason",
    "score",
    "evidence",
    "suggested_label",
    "related_id",
    "probability",
    "suggested_probability",
)
_TEMPLATES = resources.files("fer_models.review") / "templates"
_SCRIPTS = ("state.js", "tiles.js", "review.js")


def write_review_page(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    path: Path,
    limit: int = DEFAULT_LIMIT,
    command: str = CLEAN_COMMAND,
) -> dict[str, Any]:
    """Write the review page of a cleaned snapshot to a file.

    The page offers the quarantined images, except leaks and exact duplicates, which it only lists,
    and the `limit` kept training images with the lowest label quality. A page takes about 3 kB per
    image.

    Args:
        store: holds the snapshot and earlier decisions.
        snapshot: a cleaned snapshot, or one derived from it.
        path: of the HTML file; folders are created.
        limit: maximum number of kept images to offer.
        command: shown on the page as the next step, followed by the name of the saved file.

    Returns:
        `images` (offered), `decided` (those with a decision in force), `counts` by group, `facts`
        by reason, `decisions_version` (None before the first), `bytes`, `path`.

    Raises:
        DataError: the snapshot was not cleaned.
        FerError: the file can't be written.
        StoreError: the snapshot is missing or damaged.

    Example:
        cleaned = clean_snapshot(store, raw, CleaningConfig(), scores)
        facts = write_review_page(store, cleaned, Path("review.html"), limit=200)
        webbrowser.open(Path(facts["path"]).as_uri())
    """
    text, facts = _render(store, snapshot, current_decisions(store), limit, command)
    data = text.encode()
    write_output(path, data)
    return facts | {"bytes": len(data), "path": str(path.absolute())}


def store_review_page(
    store: ArtifactStore, snapshot: SnapshotRef, limit: int = DEFAULT_LIMIT
) -> ReviewRef:
    """Write the review page of a cleaned snapshot to the store, as an artifact.

    The same snapshot, decisions and code give the same artifact. Raises the errors of
    `write_review_page`.
    """
    decisions = current_decisions(store)
    digest = hashlib.sha256(f"{snapshot.id} {decisions.id if decisions else ''} {limit}".encode())
    digest.update(source_hash(_ENTRY).encode())
    for name in ("review.html.j2", "review.css", *_SCRIPTS):
        digest.update((_TEMPLATES / name).read_bytes())
    page_id = digest.hexdigest()[:24]
    page_url = f"{store.artifact_url(ReviewRef, page_id)}/{PAGE_FILE}"
    ref = store.ref(ReviewRef, page_id, page_url=page_url)
    if store.reuse(ref):
        return ref
    text, facts = _render(store, snapshot, decisions, limit, CLEAN_COMMAND)
    files = {PAGE_FILE: text.encode()}
    return store.put(ReviewRef, page_id, files, facts, page_url=ref.page_url)


def saved_name(snapshot_id: str) -> str:
    """File name of the decisions that a browser saves."""
    return f"decisions-{snapshot_id[:12]}.csv"


def _render(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    decisions: DecisionsRef | None,
    limit: int,
    command: str,
) -> tuple[str, dict[str, Any]]:
    report("review", 0, 2, "steps", "selecting images")
    cleaning = _cleaning_table(store, snapshot)
    opened = open_snapshot(store, snapshot)
    earlier = open_decisions(store, decisions) if decisions else empty_decisions()
    # Decisions refer to the labels before cleaning.
    source_label = dict(zip(cleaning["image_id"], cleaning["label"], strict=True))
    uncleaned = opened.manifest.assign(label=opened.manifest["image_id"].map(source_label))
    matched = match_decisions(uncleaned, earlier, opened.classes)
    content = collect_content(opened, cleaning, matched, limit)
    report("review", 1, 2, "steps", "rendering the page")
    version = decisions.version if decisions else None
    groups = pd.Series([item["group"] for item in content.items], dtype="str")
    facts = {
        "snapshot": snapshot.id,
        "images": len(content.items),
        "decided": sum("was" in item for item in content.items),
        "counts": {
            str(name): int(count) for name, count in groups.value_counts(sort=False).items()
        },
        "facts": {fact["reason"]: fact["count"] for fact in content.facts},
        "decisions_version": version,
    }
    data = {
        "snapshot": snapshot.id,
        "file": saved_name(snapshot.id),
        "items": content.items,
        "facts": content.facts,
        "pictures": content.pictures,
    }
    text = review_html(data, opened.classes.names, command, version=version)
    report("review", 2, 2, "steps", f"{len(content.items)} images")
    return text, facts


def _cleaning_table(store: ArtifactStore, snapshot: SnapshotRef) -> pd.DataFrame:
    files = store.describe(snapshot).files
    if f"{_TABLE}.parquet" not in files:
        raise DataError(
            f"snapshot {snapshot.id[:12]}: expected a cleaned snapshot, got one from the step "
            f"{store.info(snapshot).get('step', 'unknown')!r}; run `ferflow task clean` first"
        )
    table = open_table(store, snapshot, _TABLE)
    missing = [column for column in _REQUIRED_COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"snapshot {snapshot.id[:12]}: its table of cleaning decisions lacks "
            f"{', '.join(missing)}, because another version of ferflow wrote it; run "
            "`ferflow task clean` again"
        )
    return table


def review_html(
    data: Mapping[str, Any],
    classes: Sequence[str],
    command: str,
    *,
    version: int | None = None,
    labels: bool = False,
) -> str:
    """The HTML of a page for decisions.

    Args:
        data: `snapshot` (id of what is decided about), `file` (name of the saved decisions),
            `items`, `facts` and `pictures`, see `PageContent`.
        classes: names of the classes, in order.
        command: shown as the next step, followed by the name of the file.
        version: of the decisions in force.
        labels: whether the images have no label yet, and a person gives the first one.
    """
    environment = page_environment("fer_models.review")
    script = "\n".join((_TEMPLATES / name).read_text("utf-8") for name in _SCRIPTS)
    content = {
        **data,
        "classes": list(classes),
        "votes": [name.removeprefix("votes_") for name in VOTE_COLUMNS],
        "labels": labels,
    }
    return environment.get_template("review.html.j2").render(
        data=content,
        script=script,
        # Allows only this script on the page, whatever the names of images contain.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        classes=classes,
        max_digit=_MAX_DIGIT,
        own_classes=() if tuple(classes) == CLASS_NAMES else classes,
        version=version,
        command=command,
        labels=labels,
    )
