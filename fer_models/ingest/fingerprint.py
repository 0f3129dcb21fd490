"""A hash of everything that a snapshot of the sources depends on, without decoding any image."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fer_models.ingest.config import DataConfig
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.findings import Findings
from fer_models.ingest.locate import Source
from fer_models.ingest.source_kind import SourceKind
from fer_models.progress import report
from fer_models.storage.store import sha256_of_file

# Raise the number when the same sources shall give another snapshot.
_FORMAT = b"ferflow-sources-1\n"
_REPORT_EVERY_FILES = 1000


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def fingerprint_located(
    located: Sequence[tuple[Source, Findings]], config: DataConfig, seed: int
) -> str:
    """Hex sha256 over names and contents of the sources, in order.

    Paths of this machine don't count; the seed and the settings of the synthetic faces count only
    where these are among the sources. What can't be read is noted in its source's findings.
    """
    digest = hashlib.sha256(_FORMAT + str(config.quarantine_bad_rows).encode())
    for source, findings in located:
        digest.update(f"\n{source.kind}\0{source.name}\0{source.stem}\0".encode())
        if source.kind is SourceKind.SYNTHETIC:
            digest.update(f"{seed}\0{config.synthetic.model_dump_json()}".encode())
        elif source.kind is SourceKind.FOLDER:
            _add_folder(digest, source, findings)
        elif source.kind is not None:
            _add_file(digest, source, findings)
    return digest.hexdigest()


def _add_file(digest: _Digest, source: Source, findings: Findings) -> None:
    try:
        digest.update(sha256_of_file(source.path).encode())
    except OSError as error:
        findings.refuse(f"can't be read ({error.strerror or error})")


def _add_folder(digest: _Digest, source: Source, findings: Findings) -> None:
    files = list_files(source.path, findings)
    for done, relative in enumerate(files):
        digest.update(relative.encode("utf-8", errors="surrogateescape") + b"\0")
        digest.update(_content(source.path / relative))
        if done % _REPORT_EVERY_FILES == 0:
            report("ingest", done, len(files), "files", f"fingerprint of {source.name}")


def _content(path: Path) -> bytes:
    try:
        if path.is_file():  # to open a pipe would wait for ever
            return sha256_of_file(path).encode()
    except OSError:
        pass
    # Ingest tells it, or sets the file aside: either way it is part of the content.
    return b"unreadable"
