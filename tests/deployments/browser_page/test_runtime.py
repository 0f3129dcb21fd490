"""onnxruntime-web comes from a named package, the cache or the registry, and is checked."""

import io
import tarfile
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from deployments.browser_page import runtime
from deployments.browser_page.runtime import PACKAGE, runtime_files
from fer_models.errors import DataError, FerError
from tests.deployments.browser_page.conftest import FILES

pytestmark = pytest.mark.usefixtures("small_runtime")


def _package(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers with the package; the requested addresses."""
    asked: list[str] = []

    def answer(url: str, **_: Any) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(_package(FILES))

    monkeypatch.setattr(runtime.urllib.request, "urlopen", answer)
    return asked


def test_the_package_is_downloaded_once(registry: list[str]) -> None:
    assert runtime_files() == FILES
    assert runtime_files() == FILES
    assert registry == [runtime.URL]


def test_a_damaged_copy_in_the_cache_is_downloaded_again(
    registry: list[str], tmp_path: Path
) -> None:
    runtime_files()
    (tmp_path / "cache" / "ferflow" / PACKAGE).write_bytes(b"cut off")
    assert runtime_files() == FILES
    assert len(registry) == 2


def test_a_package_or_a_folder_can_be_named(tmp_path: Path) -> None:
    package = tmp_path / PACKAGE
    package.write_bytes(_package(FILES))
    assert runtime_files(package) == FILES
    for folder in (tmp_path / "a", tmp_path / "b" / "dist"):
        folder.mkdir(parents=True)
        for name, data in FILES.items():
            (folder / name).write_bytes(data)
    assert runtime_files(tmp_path / "a") == FILES
    assert runtime_files(tmp_path / "b") == FILES


def test_another_version_is_refused_with_all_problems(tmp_path: Path) -> None:
    [first, second, _] = FILES
    package = tmp_path / PACKAGE
    package.write_bytes(_package({**FILES, first: b"other"}))
    with pytest.raises(DataError, match=f"{first}: another sha256"):
        runtime_files(package)
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(DataError) as refused:
        runtime_files(folder)
    assert refused.value.problems == tuple(f"{name}: missing" for name in FILES)
    assert second in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", _package({})], ids=["empty", "no archive", "empty package"]
)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    package = tmp_path / PACKAGE
    package.write_bytes(content)
    with pytest.raises(DataError, match="expected the npm package onnxruntime-web"):
        runtime_files(package)


def test_without_a_network_the_message_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, **_: Any) -> io.BytesIO:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(runtime.urllib.request, "urlopen", fail)
    with pytest.raises(FerError) as failed:
        runtime_files()
    assert "npm pack onnxruntime-web@" in str(failed.value)
    assert f"--runtime {PACKAGE}" in str(failed.value)
