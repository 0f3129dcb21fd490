"""The folder of the page is complete, names its model, and replaces only an earlier page."""

import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from deployments.browser_page.write import FACTS_FILE, MODEL_FILE, write_browser_page
from fer_models.bundles.shipped import bundle_files, graph_file
from fer_models.errors import DataError, StoreError
from fer_models.inference.export_onnx import write_onnx
from fer_models.inference.open_model import open_model
from tests.deployments.browser_page.conftest import FILES

_BUNDLE = "bundled:face_cnn"


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files below a folder, by their relative paths."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def stopping_rename(
    problem: BaseException, is_done: bool
) -> Callable[[int], Callable[[Path, Path], None]]:
    """`Path.rename` with a problem in the call of a number, before or after it renamed."""
    rename = Path.rename

    def stopping(last: int) -> Callable[[Path, Path], None]:
        numbers = itertools.count()

        def stop_once(path: Path, target: Path) -> None:
            is_last = next(numbers) == last
            if is_done or not is_last:
                rename(path, target)
            if is_last:
                raise problem

        return stop_once

    return stopping


def test_the_folder_has_the_model_and_all_that_the_page_loads(
    small_runtime: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    written = write_browser_page(_BUNDLE, folder, runtime=small_runtime, speed="best")
    facts = json.loads((folder / FACTS_FILE).read_text())
    assert facts["sha256"] == hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()
    assert (facts["model"], facts["views"]) == (_BUNDLE, 18)
    assert tuple(facts["classes"]) == open_model(_BUNDLE).classes
    assert facts["card"][0]["title"] == "Model Details"
    index = (folder / "index.html").read_text()
    assert "script-src 'self' 'wasm-unsafe-eval'" in index
    for name in re.findall(r'(?:src|href)="(page/[^"]+)"', index):
        assert (folder / name).is_file(), name
    for script in (folder / "page").glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (folder / "page" / name).is_file(), name
    assert {path.name for path in (folder / "page" / "ort").iterdir()} == {*FILES, "LICENSE.txt"}
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert written.num_bytes == sum(sizes)


def test_the_file_in_the_page_computes_the_views_of_the_speed(
    small_runtime: Path, tmp_path: Path
) -> None:
    graph = graph_file("face_cnn")
    assert graph is not None
    write_browser_page(str(graph), tmp_path / "public", runtime=small_runtime, speed="fast")
    facts = json.loads((tmp_path / "public" / FACTS_FILE).read_text())
    assert facts["views"] == 1
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "public" / MODEL_FILE)
    [probs_NK] = session.run(None, {"images": images[..., None]})
    expected_NK = open_model(_BUNDLE, speed="fast").predict(images)
    np.testing.assert_allclose(probs_NK, expected_NK, atol=1e-3)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with 18 views and no ONNX file, in a folder of its own."""
    facts = Path(str(bundle_files("face_cnn_small").facts))
    (tmp_path / "bundles").mkdir()
    shutil.copy(facts.with_suffix(".safetensors"), tmp_path / "bundles")
    return Path(shutil.copy(facts, tmp_path / "bundles"))


def test_a_file_beside_a_bundle_that_predicts_something_else_is_not_used(
    bundle: Path, small_runtime: Path, tmp_path: Path
) -> None:
    write_onnx(str(bundle), bundle.parent, tta="flip")
    write_browser_page(str(bundle), tmp_path / "public", runtime=small_runtime, speed="best")
    assert json.loads((tmp_path / "public" / FACTS_FILE).read_text())["views"] == 18


def test_a_bundle_has_its_card_wherever_its_file_was_written(
    bundle: Path, small_runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    write_onnx(bundle.name, Path())
    monkeypatch.chdir(tmp_path)
    write_browser_page(str(bundle), tmp_path / "public", runtime=small_runtime)
    card = json.loads((tmp_path / "public" / FACTS_FILE).read_text())["card"]
    assert "Model: face_cnn_small, a bundle" in card[0]["blocks"][0]["items"][0]


def test_an_earlier_page_is_replaced_and_nothing_else(small_runtime: Path, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    (folder / "page" / "old.js").write_text("")
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    assert not (folder / "page" / "old.js").exists()
    other = tmp_path / "documents"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="expected a new or empty folder"):
        write_browser_page(_BUNDLE, other, runtime=small_runtime)
    with pytest.raises(StoreError, match="expected a folder, got a file"):
        write_browser_page(_BUNDLE, other / "letter.txt", runtime=small_runtime)
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_other_files_beside_an_earlier_page_stay(small_runtime: Path, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    (folder / ".git").mkdir()
    for name in (".git/HEAD", "CNAME", "robots.txt"):
        (folder / name).write_text(name)
    (folder / "index.html").write_text("old")
    before = contents(folder)
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    after = contents(folder)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"index.html"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("problem", "is_done", "raised"),
    [
        (KeyboardInterrupt(), True, KeyboardInterrupt),
        (OSError(28, "No space left on device"), False, StoreError),
    ],
)
def test_an_export_that_stops_anywhere_keeps_the_earlier_page(
    small_runtime: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    is_done: bool,
    raised: type[BaseException],
) -> None:
    folder = tmp_path / "public"
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    for name in ("index.html", "page/old.js", "model/old.txt", "CNAME"):
        (folder / name).write_text("old")
    before = contents(folder)
    rename = stopping_rename(problem, is_done)
    for last in range(6):  # two for each part
        monkeypatch.setattr(Path, "rename", rename(last))
        with pytest.raises(raised):
            write_browser_page(_BUNDLE, folder, runtime=small_runtime)
        assert contents(folder) == before
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_an_earlier_page_that_can_t_be_put_back_is_not_deleted(
    small_runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "public"
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target.parent == folder:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    before = contents(folder / "model")
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match="move its parts there from") as refused:
        write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    kept = Path(str(refused.value).rpartition(" from ")[2])
    assert contents(kept / "model") == before


def test_the_model_of_another_program_is_no_earlier_page(
    small_runtime: Path, tmp_path: Path
) -> None:
    (tmp_path / "public" / "model").mkdir(parents=True)
    (tmp_path / "public" / FACTS_FILE).write_text("{}")
    with pytest.raises(StoreError, match="expected a new or empty folder"):
        write_browser_page(_BUNDLE, tmp_path / "public", runtime=small_runtime)
    assert contents(tmp_path / "public") == {FACTS_FILE: b"{}"}


def test_a_killed_export_to_an_empty_folder_can_be_repeated(
    small_runtime: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    (folder / ".ferflow-page-abc" / "new").mkdir(parents=True)
    write_browser_page(_BUNDLE, folder, runtime=small_runtime)
    assert (folder / FACTS_FILE).is_file()


def test_without_the_runtime_nothing_is_written(small_runtime: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't read onnxruntime-web"):
        write_browser_page(_BUNDLE, tmp_path / "public", runtime=tmp_path / "missing.tgz")
    assert not (tmp_path / "public").exists()
