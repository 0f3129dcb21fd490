"""Pictures that could not be read are tried again; the same reason is stored only once."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, features

from fer_models.batch import places
from fer_models.batch.config import PredictionConfig
from fer_models.batch.predict import BatchOutcome, predict_batches
from fer_models.storage.refs import PredictionsRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture

FACES = draw_faces(np.arange(3), 3)


@pytest.fixture
def incoming(store: ArtifactStore, tmp_path: Path) -> Path:
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    for number, face in enumerate(FACES):
        write_picture(tmp_path / "incoming" / f"{number}.png", face)
    return tmp_path / "incoming"


def _run(store: ArtifactStore, incoming: Path, redo: bool = False) -> BatchOutcome:
    config = PredictionConfig(pictures=(str(incoming),), faces="crop", redo=redo)
    return predict_batches(store, config)


def _pictures(store: ArtifactStore, batch: PredictionsRef) -> list[tuple[str, int, str]]:
    table = pd.read_parquet(store.fetch(batch, "pictures.parquet"))
    names = [Path(path).name for path in table["path"]]
    return list(zip(names, table["faces"], table["reason"], strict=True))


def _fail(patch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    """Let one file be unreadable, also for root, without a change of its size or time."""
    read = places.read_file
    patch.setattr(places, "read_file", lambda path: reason if path.endswith(name) else read(path))


@pytest.mark.parametrize("redo", [False, True])
def test_a_picture_that_could_not_be_read_is_predicted_once_it_can(
    store: ArtifactStore, incoming: Path, monkeypatch: pytest.MonkeyPatch, redo: bool
) -> None:
    with monkeypatch.context() as patch:
        _fail(patch, "0.png", "no access")
        assert _run(store, incoming, redo).without_face == 1
        again = _run(store, incoming, redo)
        assert (again.found, again.known, again.batches) == (3, 3, ())
    with monkeypatch.context() as patch:
        _fail(patch, "0.png", "an I/O error")
        [batch] = _run(store, incoming, redo).batches
        assert _pictures(store, batch) == [("0.png", 0, "an I/O error")]
        assert _run(store, incoming, redo).batches == ()
    [batch] = _run(store, incoming, redo).batches
    assert _pictures(store, batch) == [("0.png", 1, "")]
    assert _run(store, incoming, redo).batches == ()


def test_a_format_is_tried_again_once_its_decoder_is_there(
    store: ArtifactStore, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    phone = Image.fromarray(FACES[0]).resize((96, 96)).convert("RGB")
    write_picture(incoming / "phone.heic", phone, "HEIF")
    write_picture(incoming / "phone.avif", phone, "AVIF")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        patch.setattr(features, "check", lambda _: False)
        [batch] = _run(store, incoming).batches
        reasons = [reason for _, faces, reason in _pictures(store, batch) if not faces]
        assert all("install" in reason for reason in reasons)
        assert len(reasons) == 2
        assert _run(store, incoming).batches == ()
    [batch] = _run(store, incoming).batches
    assert _pictures(store, batch) == [("phone.avif", 1, ""), ("phone.heic", 1, "")]
    assert _run(store, incoming).batches == ()


def test_a_damaged_picture_is_known_and_not_opened_again(
    store: ArtifactStore, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incoming / "broken.png").write_bytes(b"no picture")
    assert _run(store, incoming).without_face == 1
    _fail(monkeypatch, "broken.png", "never asked for")
    assert _run(store, incoming).batches == ()
