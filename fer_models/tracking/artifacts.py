"""Models, datasets and reports as wandb artifacts that refer to the store.

A wandb artifact of a stored one has a stable name, `artifact.json` (files with sizes and sha256)
and small text files as they are, and a reference to every other file in the store. Digests are
those of the content, so that the same content is the same version; a bucket is not asked for them.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import KEPT, open_table
from fer_models.storage.backend import FileEntry
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ArtifactRef, ModelRef, RunRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig, Uploaded
from fer_models.user_input import user_path

Relation = Literal["used", "made"]
_TEXTS = (".json", ".csv")
_MAX_TEXT_BYTES = 256 << 10
_MAX_NAME = 120
_FORBIDDEN = re.compile(r"[^A-Za-z0-9._-]+")
_FILE = "file://"
_DESCRIPTION_FILE = "artifact.json"


@dataclass(frozen=True)
class Reference:
    """A file that stays in the store."""

    uri: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Described:
    """A wandb artifact before it is made: `files` are copied, `references` stay in the store."""

    name: str
    type: Uploaded
    metadata: Mapping[str, Any]
    files: Mapping[str, Path]
    references: Mapping[str, Reference]


def describe(store: ArtifactStore, ref: ArtifactRef, config: TrackingConfig) -> Described:
    """The wandb artifact of a stored model, snapshot or report.

    Raises:
        StoreError: it is missing or damaged.
    """
    stored = store.describe(ref)
    kind, name, metadata = _identity(store, ref, stored.info)
    folder = user_path(config.folder) / "artifacts" / f"{kind}-{ref.id}"
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / _DESCRIPTION_FILE
    description.write_bytes(json_bytes(stored.model_dump(mode="json"), allow_nan=True))
    files: dict[str, Path] = {_DESCRIPTION_FILE: description.absolute()}
    references: dict[str, Reference] = {}
    for file, entry in stored.files.items():
        is_text = file.endswith(_TEXTS) and entry.size <= _MAX_TEXT_BYTES
        if is_text or kind in config.upload:
            files[file] = _kept(store, ref, file, folder)
        else:
            references[file] = Reference(_uri(store, entry), entry.size, entry.sha256)
    metadata = {"id": ref.id, "url": ref.url, **metadata}
    return Described(_FORBIDDEN.sub("-", name)[:_MAX_NAME], kind, metadata, files, references)


def log_described(run: Any, described: Described, relation: Relation, is_offline: bool) -> Any:
    """Add the artifact to a wandb run, as its input or its output; returns wandb's artifact."""
    import wandb
    from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry

    artifact = wandb.Artifact(
        described.name, type=described.type, metadata=dict(described.metadata)
    )
    for name, path in described.files.items():
        artifact.add_file(str(path), name, policy="immutable", skip_cache=True)
    for name, reference in described.references.items():
        if reference.uri.startswith(_FILE):
            artifact.add_reference(reference.uri, name)
        else:  # add_reference would ask the server, and needs boto3 for it
            entry = ArtifactManifestEntry(
                path=name, ref=reference.uri, digest=reference.sha256, size=reference.size
            )
            artifact.manifest.add_entry(entry)
    if relation == "made":
        run.log_artifact(artifact)
    elif is_offline:
        # use_artifact refuses to work offline; this is what it does with a new artifact online,
        # and `wandb sync` completes it.
        run._log_artifact(artifact, is_user_created=True, use_after_commit=True)  # noqa: SLF001
    else:
        run.use_artifact(artifact)
    return artifact


def _identity(
    store: ArtifactStore, ref: ArtifactRef, info: Mapping[str, Any]
) -> tuple[Uploaded, str, dict[str, Any]]:
    """Type, name and metadata; the name is the same for every version."""
    if isinstance(ref, ModelRef):
        return "model", f"model-{ref.name}", {"kind": ref.kind, **info}
    if isinstance(ref, SnapshotRef):
        classes = ClassList.from_info(info)
        name = f"dataset-{classes.key}" if classes.key else "dataset"
        return "dataset", name, _counts(store, ref, classes)
    assert isinstance(ref, RunRef)
    recipe = store.read_json(ref, "lineage.json")["name"]
    return "report", f"report-{recipe}", {"recipe": recipe, "report_url": ref.report_url}


def _counts(store: ArtifactStore, ref: SnapshotRef, classes: ClassList) -> dict[str, Any]:
    """Images by status, and kept ones by split and class."""
    manifest = open_table(store, ref, "manifest")
    kept = manifest[(manifest["status"] == KEPT) & (manifest["label"] >= 0)]
    by_split = {
        str(split): {
            name: int((part["label"] == number).sum()) for number, name in enumerate(classes.names)
        }
        for split, part in kept.groupby("split")
    }
    by_status = {str(status): int(n) for status, n in manifest["status"].value_counts().items()}
    return {"images": by_status, "classes": list(classes.names), "kept": by_split}


def _kept(store: ArtifactStore, ref: ArtifactRef, file: str, folder: Path) -> Path:
    """A local file that stays until `wandb sync`: the store's own, or a copy of a cached one."""
    path = store.fetch(ref, file)
    if store.is_local:
        return path.absolute()
    copy = folder / file
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return copy.absolute()


def _uri(store: ArtifactStore, entry: FileEntry) -> str:
    return (store.local_root / entry.key).as_uri() if store.is_local else f"{store.url}/{entry.key}"
