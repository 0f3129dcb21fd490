"""A hash over everything that a snapshot depends on, without decoding any image."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fer_models.ingest.config import DataConfig, TableConfig
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.files.stat_cache import StatCache
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.image_folder import listed_images
from fer_models.ingest.layouts.recognise import external_table
from fer_models.ingest.locate import Source
from fer_models.progress import report
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.store import sha256_of_file

# Increase the number if the same sources must result in another snapshot.
_FINGERPRINT_FORMAT = b"ferflow-sources-1\n"
# The settings of tables are hashed apart, see `_add_settings`.
_CONTENT_SETTINGS = {
    "classes",
    "label_scheme",
    "image_size_px",
    "channels",
    "fit",
    "faces",
    "slice_columns",
}
_REPORT_EVERY_FILES = 1000
# FER2013 has 35,887 images; larger folders than this are hashed again each time.
_digests = StatCache[str](max_entries=100_000)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def content_hash(located: Sequence[tuple[Source, Findings]], config: DataConfig, seed: int) -> str:
    """Hash names and contents of the sources, in order; read errors become faults."""
    digest = hashlib.sha256(_FINGERPRINT_FORMAT + str(config.quarantine_bad_rows).encode())
    _add_settings(digest, config)
    settings = LabelSettings(config.label_scheme, config.classes, config.table)
    for source, findings in located:
        digest.update(f"\n{source.kind}\0{source.name}\0{source.stem}\0".encode())
        if source.kind is SourceKind.SYNTHETIC:
            digest.update(f"{seed}\0{config.synthetic.model_dump_json()}".encode())
        elif source.kind in (SourceKind.FOLDER, SourceKind.PARQUET_FOLDER):
            _add_files(digest, source, source.path, list_files(source.path, findings))
        elif source.kind is SourceKind.IMAGE_LIST:
            _add_file(digest, source.path, findings)
            listed = listed_images(source.path, settings)
            _add_files(digest, source, source.path.absolute().parent, listed)
        elif source.kind is not None:
            _add_file(digest, source.path, findings)
    return digest.hexdigest()


def _add_settings(digest: _Digest, config: DataConfig) -> None:
    if config.table != TableConfig():
        # Of a table outside the sources the content counts, not the folder that contains it.
        table = external_table(config.table.path)
        named = config.table.model_copy(update={"path": table.name}) if table else config.table
        digest.update(named.model_dump_json().encode() + (_content(table) if table else b""))
    settings = config.model_dump(mode="json", include=_CONTENT_SETTINGS, exclude_defaults=True)
    if settings:
        digest.update(json_bytes(settings))


def _add_file(digest: _Digest, path: Path, findings: Findings) -> None:
    try:
        digest.update(_sha256(path).encode())
    except OSError as error:
        findings.add_fault(f"can't be read ({error.strerror or error})")


def _add_files(digest: _Digest, source: Source, folder: Path, files: Sequence[str]) -> None:
    for done, relative in enumerate(files):
        digest.update(relative.encode("utf-8", errors="surrogateescape") + b"\0")
        digest.update(_content(folder / relative))
        if done % _REPORT_EVERY_FILES == 0:
            report("ingest", done, len(files), "files", f"fingerprint of {source.name}")


def _content(path: Path) -> bytes:
    try:
        if path.is_file():  # opening a pipe would block
            return _sha256(path).encode()
    except OSError:
        pass
    # Ingest rejects or quarantines the file, so that it can't be read is part of the content.
    return b"unreadable"


def _sha256(path: Path) -> str:
    return _digests.get(path, lambda: sha256_of_file(path))
