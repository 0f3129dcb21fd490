"""The folder of the page is complete, names its model, and replaces only an earlier page."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from deployments.browser_page.write import FACTS_FILE, MODEL_FILE, write_browser_page
from fer_models.bundles.shipped import graph_file
from fer_models.errors import DataError, StoreError
from fer_models.inference.open_model import open_model
from tests.deployments.browser_page.conftest import FILES

_BUNDLE = "bundled:face_cnn"


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


def test_without_the_runtime_nothing_is_written(small_runtime: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't read onnxruntime-web"):
        write_browser_page(_BUNDLE, tmp_path / "public", runtime=tmp_path / "missing.tgz")
    assert not (tmp_path / "public").exists()
