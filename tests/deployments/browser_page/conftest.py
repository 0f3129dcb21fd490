"""Small files in place of onnxruntime-web's, for tests that run no browser."""

import hashlib
from pathlib import Path

import pytest

from deployments.browser_page import runtime

FILES = {name: name.encode() for name in runtime.SHA256}


@pytest.fixture
def small_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with small files, whose sha256 are the expected ones; the cache is empty."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    monkeypatch.setattr(runtime, "SHA256", sums)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder
