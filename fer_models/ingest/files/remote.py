"""Sources that are URLs: an object or a prefix of a bucket, read from a local copy."""

from pathlib import Path

from fer_models.errors import DataError, FerError
from fer_models.ingest.files.detection import is_visible
from fer_models.ingest.findings import Findings
from fer_models.redaction import has_credentials
from fer_models.storage.s3.mirror import mirror
from fer_models.storage.s3.source import ObjectState, S3Source

_SEPARATOR = "://"


def is_url(named: str) -> bool:
    """Whether a source is a URL rather than a path."""
    return _SEPARATOR in named


def local_copy(url: str, findings: Findings) -> Path | None:
    """The up-to-date local copy of a URL; None, and faults in `findings`, if there is none."""
    try:
        return mirror(source_of_url(url))
    except FerError as error:
        _add_faults(error, findings)
        return None


def check_exists(url: str, wanted: str, findings: Findings) -> None:
    """Check without any download that a URL has something; what it has is not looked at.

    Args:
        url: the URL.
        wanted: the part of an archive that was asked for.
        findings: receives the faults.
    """
    try:
        is_folder = source_of_url(url).is_folder()
    except FerError as error:
        _add_faults(error, findings)
        return
    if is_folder and wanted:
        findings.add_fault(f"{url} is a folder, not an archive; name its content by path")


def object_states(url: str) -> dict[str, ObjectState]:
    """The states of all objects of a URL, by their path below it.

    Raises:
        DataError: there are none, or the URL is not supported.
        StoreError: the bucket can't be used.
    """
    return source_of_url(url).objects()


def source_of_url(url: str) -> S3Source:
    """The source of a URL; nothing is contacted yet.

    Raises:
        DataError: the URL is not supported, or has credentials.
    """
    scheme, _, rest = url.partition(_SEPARATOR)
    if scheme == "file":
        raise DataError(f"expected a path or s3://bucket/prefix; name the path itself, {rest}")
    if scheme != "s3":
        raise DataError(
            f"{scheme}:// is not supported (only s3:// is); download it, then name the file or "
            "folder on this machine"
        )
    if has_credentials(url):
        raise DataError(
            "expected a bucket, got credentials in the URL; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, and name s3://bucket/prefix"
        )
    return S3Source(url, is_visible)


def _add_faults(error: FerError, findings: Findings) -> None:
    for fault in error.problems or (error.message,):
        findings.add_fault(fault)
