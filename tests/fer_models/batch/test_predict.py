"""Batch prediction: each picture is predicted once, and a killed run goes on where it ended."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.batch import predict as predict_module
from fer_models.batch.config import PredictionConfig
from fer_models.batch.earlier import recent_faces
from fer_models.batch.predict import BatchOutcome, predict_batches
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.drift.recent import read_recent
from fer_models.errors import ConfigError, DataError, FerError
from fer_models.faces.found import FoundFace
from fer_models.inference.open_model import open_stored
from fer_models.storage.refs import ModelRef, PredictionsRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture
from tests.fer_models.storage.buckets import put_objects

FACES = draw_faces(np.arange(6) % 7, 3)


@pytest.fixture
def champion(store: ArtifactStore) -> ModelRef:
    model = stored_network(store)
    Registry(store).set(CHAMPION, model.id, "by a test")
    return model


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    for number, face in enumerate(FACES):
        write_picture(folder / f"{number}.png", face)
    return folder


def _run(store: ArtifactStore, *pictures: object, **settings: object) -> BatchOutcome:
    values = {"pictures": tuple(map(str, pictures)), **settings}
    return predict_batches(store, PredictionConfig.model_validate(values))


def _table(store: ArtifactStore, batch: PredictionsRef, name: str) -> pd.DataFrame:
    return pd.read_parquet(store.fetch(batch, f"{name}.parquet"))


def test_avif_pictures_are_predicted_too(
    store: ArtifactStore, champion: ModelRef, incoming: Path
) -> None:
    assert champion
    Image.fromarray(FACES[0]).convert("RGB").save(incoming / "phone.avif", quality=95)
    [batch] = _run(store, incoming).batches
    pictures = _table(store, batch, "pictures").set_index("path")
    [path] = [one for one in pictures.index if one.endswith("phone.avif")]
    assert pictures.loc[path, "faces"] == 1


def test_the_predictions_are_those_of_the_model(
    store: ArtifactStore, champion: ModelRef, incoming: Path
) -> None:
    (incoming / "notes.txt").write_text("no picture")
    (incoming / "broken.png").write_bytes(b"no picture either")
    outcome = _run(store, incoming)
    [batch] = outcome.batches
    assert (outcome.model, outcome.predicted) == (champion.id, 7)
    assert (outcome.faces, outcome.without_face) == (6, 1)
    predictions = _table(store, batch, "predictions")
    assert predictions["path"].tolist() == [str(incoming / f"{n}.png") for n in range(6)]
    expected = open_stored(store, champion).predict(FACES)
    columns = [name for name in predictions if name.startswith("p_")]
    np.testing.assert_allclose(predictions[columns].to_numpy(), expected, atol=1e-6)
    assert sum(outcome.counts.values()) == 6
    pictures = _table(store, batch, "pictures").set_index("path")
    assert "not a readable image" in pictures.loc[str(incoming / "broken.png"), "reason"]
    page = store.read_file(batch, "report.html").decode()
    assert "6 faces in 7 pictures" in page
    info = store.info(batch)
    assert (info["model"], info["sources"]) == (champion.id, [str(incoming)])


def test_only_new_and_replaced_pictures_are_predicted(
    store: ArtifactStore, champion: ModelRef, incoming: Path
) -> None:
    assert _run(store, incoming).predicted == 6
    again = _run(store, incoming)
    assert (again.found, again.known, again.batches) == (6, 6, ())
    write_picture(incoming / "late.png", draw_faces(np.array([1]), 9)[0])
    write_picture(incoming / "0.png", draw_faces(np.array([2]), 8)[0])
    os.utime(incoming / "0.png", ns=(1, 1))
    third = _run(store, incoming)
    [batch] = third.batches
    names = [Path(path).name for path in _table(store, batch, "pictures")["path"]]
    assert names == ["0.png", "late.png"]


def test_a_new_champion_predicts_old_pictures_again_only_if_asked(
    store: ArtifactStore, champion: ModelRef, incoming: Path
) -> None:
    _run(store, incoming)
    other = stored_network(store, seed=1)
    Registry(store).set(CHAMPION, other.id, "by a test")
    assert _run(store, incoming).predicted == 0
    redone = _run(store, incoming, redo=True)
    assert (redone.model, redone.predicted) == (other.id, 6)
    assert _run(store, incoming, redo=True).predicted == 0
    # A bundle's short name means the same model each time.
    assert _run(store, incoming, redo=True, model="bundled").predicted == 6
    assert _run(store, incoming, redo=True, model="bundled").predicted == 0


def test_a_run_that_was_stopped_goes_on_with_the_pictures_that_are_left(
    store: ArtifactStore, champion: ModelRef, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    read = predict_module.read_places
    calls = iter((read, read))

    def read_twice(places: object) -> object:
        try:
            return next(calls)(places)  # type: ignore[arg-type]
        except StopIteration:
            raise KilledError from None

    monkeypatch.setattr(predict_module, "read_places", read_twice)
    with pytest.raises(KilledError):
        _run(store, incoming, batch_size=2)
    monkeypatch.undo()
    rest = _run(store, incoming, batch_size=2)
    assert (rest.known, rest.predicted) == (4, 2)
    assert len(store.list_ids(PredictionsRef)) == 3


def test_recent_faces_are_the_images_that_the_model_received(
    store: ArtifactStore, champion: ModelRef, incoming: Path
) -> None:
    _run(store, incoming, batch_size=4)
    everything = recent_faces(store, "predictions:1d", THUMBNAIL)
    np.testing.assert_array_equal(everything.images, FACES)
    last = read_recent(["predictions:1"], THUMBNAIL, store)
    np.testing.assert_array_equal(last.images, FACES[4:])
    assert last.names == (str(incoming / "4.png"), str(incoming / "5.png"))
    other = read_recent(["predictions:2"], ImageFormat(112, 3), store)
    assert (len(other), len(other.skipped)) == (0, 2)
    assert "not 112 x 112 RGB" in other.skipped[0].reason


def test_faces_in_photos_are_cut_out_in_order(
    store: ArtifactStore, champion: ModelRef, tmp_path: Path
) -> None:
    from fer_models.inference.pictures import face_images

    def two_faces(photos: Sequence[np.ndarray], _scale: float) -> list[list[FoundFace]]:
        return [[FoundFace((0, 0, 48, 48)), FoundFace((48, 0, 96, 48))] for _ in photos]

    for number in range(2):
        photo = np.concatenate([FACES[2 * number], FACES[2 * number + 1]], axis=1)
        write_picture(tmp_path / "photos" / f"{number}.png", photo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(face_images, "face_finder", lambda _: two_faces)
        outcome = _run(store, tmp_path / "photos", faces="detect")
    assert (outcome.faces, outcome.predicted) == (4, 2)
    [batch] = outcome.batches
    table = _table(store, batch, "predictions")
    assert table["face"].tolist() == [0, 1, 0, 1]
    assert table["left"].tolist() == [0, 48, 0, 48]
    faces = recent_faces(store, "predictions:1", THUMBNAIL)
    probs_NK = open_stored(store, champion).predict(faces.images)
    columns = [name for name in table if name.startswith("p_")]
    np.testing.assert_allclose(table[columns].to_numpy(), probs_NK, atol=1e-6)
    assert faces.names[1] == f"{tmp_path}/photos/0.png, face 2"


@pytest.mark.parametrize("text", ["predictions:", "predictions:0", "predictions:7w"])
def test_a_wrong_period_is_explained(store: ArtifactStore, text: str) -> None:
    with pytest.raises(DataError) as caught:
        read_recent([text], THUMBNAIL, store)
    assert "predictions:7d" in str(caught.value)


def test_problems_of_the_input_are_reported_together(
    store: ArtifactStore, champion: ModelRef
) -> None:
    with pytest.raises(DataError) as caught:
        _run(store, "/nowhere", "gs://bucket/x")
    assert [line.split(":")[0] for line in caught.value.problems] == ["/nowhere", "gs"]
    with pytest.raises(ConfigError, match="got none"):
        _run(store)


def test_without_a_champion_nothing_is_written(store: ArtifactStore, incoming: Path) -> None:
    with pytest.raises(FerError, match="no champion yet"):
        _run(store, incoming)
    assert store.list_ids(PredictionsRef) == []


@pytest.mark.slow
@pytest.mark.s3
def test_pictures_and_predictions_may_be_in_a_bucket(s3_store_url: str, incoming: Path) -> None:
    from fer_models.storage.config import StoreConfig

    remote = ArtifactStore(StoreConfig(url=f"{s3_store_url}/store"))
    Registry(remote).set(CHAMPION, stored_network(remote).id, "by a test")
    pictures = f"{s3_store_url}/in"
    names = {path.name: path.read_bytes() for path in incoming.iterdir()}
    put_objects(pictures, names)
    assert _run(remote, pictures).faces == 6
    assert _run(remote, pictures).predicted == 0
    put_objects(pictures, {"a [new] one.png": names["1.png"], "0.png": names["2.png"]})
    [batch] = _run(remote, pictures).batches
    assert _table(remote, batch, "predictions")["path"].tolist() == [
        f"{pictures}/0.png",
        f"{pictures}/a [new] one.png",
    ]
