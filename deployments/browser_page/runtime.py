"""onnxruntime-web, which runs an ONNX file in a browser: three files of its npm package.

The package is downloaded once from the npm registry and kept; every file is checked by its sha256.
"""

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from fer_models.errors import DataError, FerError
from fer_models.private_folder import make_private
from fer_models.storage.download_cache import default_cache_dir

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web-{VERSION}.tgz"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/{PACKAGE}"
SHA256: Mapping[str, str] = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": (
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
    ),
    "ort-wasm-simd-threaded.wasm": (
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
}
"""What the page needs, by name in the folder `dist` of the package."""
LICENSE_NOTE = (
    f"onnxruntime-web {VERSION}, MIT License, Copyright (c) Microsoft Corporation.\n"
    f"Three files of {URL}, unchanged.\n"
)
_DIST = "package/dist/"
_TIMEOUT_S = 60
_MAX_BYTES = 200_000_000
_BY_HAND = f"download it elsewhere (`npm pack onnxruntime-web@{VERSION}`) and name it: --runtime"


def runtime_files(package: Path | None = None) -> dict[str, bytes]:
    """The files of onnxruntime-web by name.

    Args:
        package: the npm package (.tgz), or a folder with its files; by default it is downloaded,
            unless it was before.

    Raises:
        DataError: the package is missing or not that of this version.
        FerError: it can't be downloaded.
    """
    if package is not None:
        return _checked(_read(package), str(package))
    kept = default_cache_dir() / PACKAGE
    if kept.exists():
        try:
            return _checked(_read(kept), str(kept))
        except DataError:
            kept.unlink()  # cut off, or damaged: download it again
    data = _download(URL)
    files = _checked(_unpacked(data, URL), URL)
    _keep(kept, data)
    return files


def _read(package: Path) -> dict[str, bytes]:
    try:
        if package.is_dir():
            folders = (package, package / "dist", package / "package" / "dist")
            paths = {
                name: folder / name
                for folder in folders
                for name in SHA256
                if (folder / name).is_file()
            }
            return {name: path.read_bytes() for name, path in paths.items()}
        return _unpacked(package.read_bytes(), str(package))
    except OSError as error:
        raise DataError(
            f"{package}: can't read onnxruntime-web ({error.strerror}); {_BY_HAND} {PACKAGE}"
        ) from error


def _unpacked(data: bytes, where: str) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            members = {name: archive.extractfile(_DIST + name) for name in SHA256}
            return {name: member.read() for name, member in members.items() if member}
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise DataError(
            f"{where}: expected the npm package onnxruntime-web {VERSION} ({error}); "
            f"{_BY_HAND} {PACKAGE}"
        ) from error


def _checked(files: dict[str, bytes], where: str) -> dict[str, bytes]:
    problems = [
        f"{name}: missing" if name not in files else f"{name}: another sha256"
        for name, expected in SHA256.items()
        if hashlib.sha256(files.get(name, b"")).hexdigest() != expected
    ]
    if problems:
        raise DataError(
            f"{where}: expected the files of onnxruntime-web {VERSION}; {_BY_HAND} {PACKAGE}",
            problems,
        )
    return files


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - https
            data: bytes = answer.read(_MAX_BYTES)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise FerError(
            f"{url}: can't download onnxruntime-web ({reason}); {_BY_HAND} {PACKAGE}"
        ) from error
    return data


def _keep(path: Path, data: bytes) -> None:
    """Keep the package for the next time; a full disk is no reason to fail."""
    part = path.with_suffix(".part")
    try:
        make_private(path.parent)
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
