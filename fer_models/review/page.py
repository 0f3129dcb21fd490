"""The review page: one self-contained HTML file on which a person decides about single images."""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from fer_models.dataset.snapshot import open_snapshot, open_table
from fer_models.errors import DataError, FerError
from fer_models.labels import CLASS_NAMES, VOTE_COLUMNS
from fer_models.progress import report
from fer_models.review.decisions import (
    current_decisions,
    empty_decisions,
    match_decisions,
    open_decisions,
)
from fer_models.review.items import FACTS, Sheet, collect_sheet
from fer_models.source_hash import source_hash
from fer_models.storage.refs import ArtifactRef, DecisionsRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

# Its source, and that of all it imports, is part of what a result depends on.
_ENTRY = "fer_models.review.page"

DEFAULT_LIMIT = 500
PAGE_FILE = "review.html"
CLEAN_COMMAND = "ferflow task clean"
_TABLE = "decisions"
_NEEDED = (
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


class ReviewRef(ArtifactRef):
    """A review page in the store; page_url is the HTML file."""

    folder: ClassVar[str] = "reviews"
    page_url: str


def write_review_page(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    path: Path,
    limit: int = DEFAULT_LIMIT,
    command: str = CLEAN_COMMAND,
) -> dict[str, Any]:
    """Write the page of a cleaned snapshot to a file.

    Every image in quarantine for a reason that is a judgement is offered, and the `limit` kept
    training images whose labels fit worst. Leaks and exact copies are shown as facts. A page
    holds about 3 kB an image.

    Args:
        store: holds the snapshot and earlier decisions.
        snapshot: a cleaned snapshot, or one made from it.
        path: where to.
        limit: how many kept images to offer.
        command: what the page tells to run; the name of the saved file is put behind it.

    Returns:
        `images` and `decided` (of them, decisions in force), `counts` by group, `facts` by
        reason, `decisions_version` (None before the first), `bytes`, `path`.

    Raises:
        DataError: the snapshot was not cleaned.
        StoreError: it is absent or damaged.
    """
    text, facts = _render(store, snapshot, current_decisions(store), limit, command)
    data = text.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise FerError(f"{path}: can't write the page ({error.strerror}); choose --out") from error
    return facts | {"bytes": len(data), "path": str(path.absolute())}


def store_review_page(
    store: ArtifactStore, snapshot: SnapshotRef, limit: int = DEFAULT_LIMIT
) -> ReviewRef:
    """Write the page of a cleaned snapshot into the store, as an artifact.

    The same snapshot, decisions and code give the same artifact. Raises as `write_review_page`.
    """
    decisions = current_decisions(store)
    digest = hashlib.sha256(f"{snapshot.id} {decisions.id if decisions else ''} {limit}".encode())
    digest.update(source_hash(_ENTRY).encode())
    for name in ("review.html.j2", "review.css", *_SCRIPTS):
        digest.update((_TEMPLATES / name).read_bytes())
    page_id = digest.hexdigest()[:24]
    ref = ReviewRef(
        id=page_id,
        url=f"{store.url}/{ReviewRef.folder}/{page_id}",
        page_url=f"{store.url}/{ReviewRef.folder}/{page_id}/{PAGE_FILE}",
    )
    if store.exists(ref):
        return ref
    text, facts = _render(store, snapshot, decisions, limit, CLEAN_COMMAND)
    files = {PAGE_FILE: text.encode()}
    return store.put(ReviewRef, page_id, files, facts, page_url=ref.page_url)


def saved_name(snapshot_id: str) -> str:
    """The name under which a browser saves the decisions about a snapshot."""
    return f"decisions-{snapshot_id[:12]}.csv"


def _render(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    decisions: DecisionsRef | None,
    limit: int,
    command: str,
) -> tuple[str, dict[str, Any]]:
    report("review", 0, 2, "steps", "choosing the images")
    cleaning = _cleaning_table(store, snapshot)
    opened = open_snapshot(store, snapshot)
    earlier = open_decisions(store, decisions) if decisions else empty_decisions()
    # What a decision does is told by the label that the image came with.
    came_with = dict(zip(cleaning["image_id"], cleaning["label"], strict=True))
    as_it_came = opened.manifest.assign(label=opened.manifest["image_id"].map(came_with))
    matched = match_decisions(as_it_came, earlier)
    sheet = collect_sheet(opened, cleaning, matched, limit)
    report("review", 1, 2, "steps", "drawing the page")
    groups = pd.Series([item["group"] for item in sheet.items], dtype="str")
    facts = {
        "snapshot": snapshot.id,
        "images": len(sheet.items),
        "decided": sum("was" in item for item in sheet.items),
        "counts": {
            str(name): int(count) for name, count in groups.value_counts(sort=False).items()
        },
        "facts": {fact["reason"]: fact["count"] for fact in sheet.facts},
        "decisions_version": decisions.version if decisions else None,
    }
    text = _html(sheet, facts, saved_name(snapshot.id), command)
    report("review", 2, 2, "steps", f"{len(sheet.items)} images")
    return text, facts


def _cleaning_table(store: ArtifactStore, snapshot: SnapshotRef) -> pd.DataFrame:
    files = store.describe(snapshot).files
    if f"{_TABLE}.parquet" not in files:
        raise DataError(
            f"snapshot {snapshot.id[:12]}: expected a cleaned snapshot, this one comes from the "
            f"step {store.info(snapshot).get('step', 'unknown')!r}; run `ferflow task clean` first"
        )
    table = open_table(store, snapshot, _TABLE)
    missing = [column for column in _NEEDED if column not in table.columns]
    if missing:
        raise DataError(
            f"snapshot {snapshot.id[:12]}: its table of cleaning decisions lacks "
            f"{', '.join(missing)}: another version of ferflow wrote it; run `ferflow task clean` "
            "again"
        )
    return table


def _html(sheet: Sheet, facts: Mapping[str, Any], file_name: str, command: str) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: (_TEMPLATES / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join((_TEMPLATES / name).read_text("utf-8") for name in _SCRIPTS)
    data = {
        "snapshot": facts["snapshot"],
        "file": file_name,
        "classes": CLASS_NAMES,
        "votes": [name.removeprefix("votes_") for name in VOTE_COLUMNS],
        "items": sheet.items,
        "facts": sheet.facts,
        "pictures": sheet.pictures,
    }
    return environment.get_template("review.html.j2").render(
        facts=facts,
        data=data,
        script=script,
        # Nothing but this very script may run on the page, whatever an image is called.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        classes=CLASS_NAMES,
        file_name=file_name,
        command=command,
        fact_reasons=FACTS,
    )
