"""Write the page with a model that runs in the browser."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deployments.browser_page.runtime import LICENSE_NOTE, runtime_files
from deployments.inference_server.models.card import card_sections
from deployments.inference_server.web.assets import (
    BROWSER_ENGINE,
    ENGINE,
    INDEX,
    SERVER_ENGINE,
    page_files,
)
from fer_models.bundles.facts import read_facts
from fer_models.bundles.names import bundle_of, is_bundle, is_onnx_file
from fer_models.bundles.shipped import bundle_files, graph_file, is_graph_of
from fer_models.bundles.speed import DEFAULT_SPEED, Speed, views_at
from fer_models.errors import StoreError
from fer_models.onnx_files.facts import VIEWS, OnnxFacts
from fer_models.onnx_files.session import open_onnx
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL_FILE = "model/model.onnx"
FACTS_FILE = "model/model.json"
_PARTS = ("model", "page", INDEX)
"""What a page consists of, in its folder; nothing else there is touched."""
_SCRATCH = ".ferflow-page-"
# Everything from the page's own folder; WebAssembly is compiled, and nothing else is evaluated.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'"
)
_HEAD = "<head>\n"


@dataclass(frozen=True)
class WrittenPage:
    """The folder, the model in it, and its size in bytes."""

    folder: Path
    model: str
    num_bytes: int


def write_browser_page(
    model: str,
    folder: Path,
    store: ArtifactStore | None = None,
    *,
    runtime: Path | None = None,
    speed: Speed = DEFAULT_SPEED,
) -> WrittenPage:
    """Write a page that runs a model in the browser, for any static web server.

    The page is complete, or it is not written and an earlier one stays. Other files in the folder
    of an earlier page always stay.

    Args:
        model: as for `write_onnx`, or an ONNX file.
        folder: does not exist yet, or is empty, or holds an earlier page, which is replaced.
        store: contains `champion` and stored models.
        runtime: see `runtime_files`.
        speed: how many views of each face are computed.

    Raises:
        FerError: the model can't be exported, onnxruntime-web can't be had, or the folder can't be
            written.

    Example:
        write_browser_page("bundled:face_cnn", Path("public"))
    """
    _check_folder(folder)
    files = {f"page/ort/{name}": data for name, data in runtime_files(runtime).items()}
    files["page/ort/LICENSE.txt"] = LICENSE_NOTE.encode()
    files |= _page()
    loaded, facts = _graph(model, store)
    views = views_at(speed, facts.views)
    graph = _with_views(loaded, views)
    files[MODEL_FILE] = graph
    is_file = is_onnx_file(model) or is_bundle(model)
    described = {
        "model": facts.model,
        "classes": list(facts.classes),
        "views": views,
        "calibrated": facts.temperature_at(views) is not None,
        "sha256": hashlib.sha256(graph).hexdigest(),
        # An ONNX file names what it was exported from, which may be gone.
        "card": card_sections(model if is_file else facts.model, store),
    }
    files[FACTS_FILE] = json.dumps(described, indent=1).encode()
    _write(folder, files)
    return WrittenPage(folder, facts.model, sum(map(len, files.values())))


def _graph(model: str, store: ArtifactStore | None) -> tuple["ModelProto", OnnxFacts]:
    """A model as an ONNX graph with its weights: the given or shipped file, or one written here."""
    import onnx

    path = Path(model) if is_onnx_file(model) else _graph_beside(model)
    if path is not None:
        facts = open_onnx(path).facts  # says what is wrong with the file
        return onnx.load(path), facts
    from fer_models.inference.export_onnx import write_onnx

    with tempfile.TemporaryDirectory(prefix="ferflow-page-") as scratch:
        path, facts = write_onnx(model, Path(scratch), store)
        return onnx.load(path), facts


def _with_views(graph: "ModelProto", views: int) -> bytes:
    """The content of an ONNX file with another number of views where none is given.

    onnxruntime-web does not take inputs that have a default.
    """
    from onnx import numpy_helper

    [default] = [one for one in graph.graph.initializer if one.name == VIEWS]
    default.CopyFrom(numpy_helper.from_array(np.array([views], np.int64), VIEWS))
    return bytes(graph.SerializeToString())


def _graph_beside(model: str) -> Path | None:
    """The ONNX file of a bundle, unless there is none or it predicts something else."""
    if not is_bundle(model):
        return None
    _, which = bundle_of(model)
    path = graph_file(which)
    if path is None:
        return None
    facts = read_facts(bundle_files(which).facts)
    return path if is_graph_of(open_onnx(path).facts, facts) else None


def _page() -> dict[str, bytes]:
    """The files of the page, with the engine that runs in the browser."""
    files = page_files()
    index = files.pop(INDEX).decode()
    assert _HEAD in index
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    del files[SERVER_ENGINE]
    files[ENGINE] = files.pop(BROWSER_ENGINE)
    named = {f"page/{name}": data for name, data in files.items()}
    return named | {INDEX: index.replace(_HEAD, _HEAD + policy, 1).encode()}


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder}: expected a folder, got a file; choose another one")
    is_earlier = (folder / FACTS_FILE).exists() and (folder / MODEL_FILE).exists()
    # A killed export may have left its scratch folder.
    is_empty = all(path.name.startswith(_SCRATCH) for path in folder.iterdir())
    if not is_empty and not is_earlier:
        raise StoreError(
            f"{folder}: expected a new or empty folder, or one with an earlier page; got other "
            "files; choose another one"
        )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """The whole page in a scratch folder on the same file system first; then it takes its place."""
    assert {name.split("/")[0] for name in files} == set(_PARTS)
    try:
        if folder.exists():
            _replace(folder, files)
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            _write_files(new, files)
            new.rename(folder)
    except OSError as error:
        raise StoreError(
            f"{folder}: can't write the page ({error.strerror}); choose another folder"
        ) from error


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Exchange the parts of a page by renames; after an error or a Ctrl-C all are the old ones."""
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    new, old = scratch / "new", scratch / "old"
    try:
        _write_files(new, files)
        old.mkdir()
        for name in _PARTS:
            if os.path.lexists(folder / name):
                (folder / name).rename(old / name)
            (new / name).rename(folder / name)
    except BaseException:
        _put_back(folder, new, old)
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _put_back(folder: Path, new: Path, old: Path) -> None:
    """Undo an exchange, wherever it stopped: a new part that left its folder is in place."""
    try:
        for name in _PARTS if old.exists() else ():
            if os.path.lexists(folder / name) and not os.path.lexists(new / name):
                (folder / name).rename(new / name)
            if os.path.lexists(old / name):
                (old / name).rename(folder / name)
    except OSError as error:
        raise StoreError(
            f"{folder}: can't put the earlier page back ({error.strerror}); move its parts there "
            f"from {old}"
        ) from error
