"""What `import fer_models` offers, used as its docs say."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import fer_models
from fer_models.errors import ConfigError, DataError, StoreError
from fer_models.inference.expression_model import ExpressionModel
from fer_models.labels import CLASS_NAMES
from fer_models.storage.config import StoreConfig
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.inference.builders import stored_network
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(4)


def first_pixel(images: np.ndarray) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[images[:, 0, 0] % 7]


MODEL = ExpressionModel("first pixel", CLASS_NAMES, first_pixel)
EXPECTED = [CLASS_NAMES[k] for k in IMAGES[:, 0, 0] % 7]


def labels(predictions: fer_models.Predictions) -> list[str]:
    return [face.label for picture in predictions for face in picture]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "faces", {f"{i}.png": image for i, image in enumerate(IMAGES)})


def test_the_public_names_are_what_is_exported() -> None:
    assert dir(fer_models) == sorted(fer_models.__all__)
    for name in fer_models.__all__:
        assert getattr(fer_models, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        fer_models.absent  # noqa: B018
    assert (Path(fer_models.__file__).parent / "py.typed").exists()


def test_one_picture_gives_one_prediction(folder: Path) -> None:
    for given in (
        str(folder / "1.png"),
        folder / "1.png",
        (folder / "1.png").read_bytes(),
        Image.open(folder / "1.png"),
        IMAGES[1],
        torch.tensor(IMAGES[1])[None],
    ):
        predicted = fer_models.predict(given, model=MODEL)
        assert isinstance(predicted, fer_models.PredictedPicture)
        assert [face.label for face in predicted] == [EXPECTED[1]]
        assert len(predicted) == 1
        assert predicted[0].probabilities[EXPECTED[1]] == 1
        assert "data:image/jpeg" in predicted._repr_html_()
        assert predicted.to_frame()["label"].tolist() == [EXPECTED[1]]


def test_several_pictures_give_one_prediction_each(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(folder / "2.png", "2.png")
    given = [folder / "3.png", IMAGES[0], str(tmp_path / "more.zip"), folder / "3.png"]
    predictions = fer_models.predict(given, model=MODEL)
    assert labels(predictions) == [EXPECTED[k] for k in (3, 0, 2, 3)]
    assert [one.path for one in predictions] == [
        str(folder / "3.png"), "picture 1", f"{tmp_path}/more.zip::2.png", str(folder / "3.png"),
    ]  # fmt: skip
    assert len(predictions.to_frame()) == 4
    assert labels(predictions[1:3]) == [EXPECTED[0], EXPECTED[2]]
    assert predictions._repr_html_().count("<img") == 4
    assert repr(predictions).startswith("<4 pictures, 4 faces\n")


def test_folders_patterns_and_batches_are_lists(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert labels(fer_models.predict(["."], model=MODEL)) == EXPECTED
    assert labels(fer_models.predict(["[12].png"], model=MODEL)) == EXPECTED[1:3]
    assert labels(fer_models.predict(list(IMAGES), model=MODEL)) == EXPECTED
    assert len(fer_models.predict([], model=MODEL)) == 0


def test_pictures_of_an_iterator_are_not_kept() -> None:
    predictions = fer_models.predict((image for image in IMAGES), model=MODEL)
    assert labels(predictions) == EXPECTED
    assert "<img" not in predictions._repr_html_()


def test_an_unreadable_picture_has_a_reason_and_no_face(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    predicted = fer_models.predict(tmp_path / "broken.png", model=MODEL)
    assert not predicted
    assert "not a readable image" in predicted.reason
    assert "<img" not in predicted._repr_html_()


def test_the_advice_about_a_folder_works(folder: Path) -> None:
    with pytest.raises(DataError, match=r"pass it in a list, predict\(\['.*faces'\]\)"):
        fer_models.predict(folder, model=MODEL)
    assert labels(fer_models.predict([str(folder)], model=MODEL)) == EXPECTED


def test_an_open_file_is_refused_and_the_advice_works(folder: Path) -> None:
    with (folder / "1.png").open("rb") as file:
        for given in (file, [file]):
            with pytest.raises(DataError, match=r"pass its content, file\.read\(\)"):
                fer_models.predict(given, model=MODEL)  # type: ignore[call-overload]
        assert fer_models.predict(file.read(), model=MODEL)[0].label == EXPECTED[1]


def test_all_missing_paths_are_reported_together(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        fer_models.predict(["absent.png", folder, "gone.png"], model=MODEL)
    assert len(caught.value.problems) == 2
    with pytest.raises(DataError, match="got int"):
        fer_models.predict(3, model=MODEL)  # type: ignore[call-overload]
    with pytest.raises(StoreError, match="expected a shipped bundle"):
        fer_models.predict(IMAGES[0], model="bundled:absent")


def test_a_shipped_model_is_loaded_once() -> None:
    model = fer_models.load_model("bundled:face_cnn")
    assert fer_models.load_model("bundled:face_cnn") is model
    predicted = fer_models.predict(IMAGES[0], faces="crop", model="bundled:face_cnn")
    expected = model.predict(IMAGES[:1])[0]
    np.testing.assert_allclose(list(predicted[0].probabilities.values()), expected, atol=1e-6)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> ExpressionModel:
    """A model that torch runs."""
    artifacts = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("api") / "store")))
    return fer_models.load_model(stored_network(artifacts).id, store=artifacts.url)


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (IMAGES / 255, r"float64 of shape \(4, 48, 48\)"),
        (IMAGES.astype(np.int64) + 300, r"int64 of shape \(4, 48, 48\)"),
        (IMAGES[:, :24, :24], r"uint8 of shape \(4, 24, 24\)"),
        (IMAGES[0], r"uint8 of shape \(48, 48\)"),
        (np.stack([IMAGES] * 4, axis=-1), r"uint8 of shape \(4, 48, 48, 4\)"),
        (list(IMAGES), "list"),
    ],
)
def test_a_model_refuses_images_that_are_not_of_its_format(
    stored: ExpressionModel, images: Any, got: str
) -> None:
    for model in (fer_models.load_model("bundled:face_cnn"), stored):
        with pytest.raises(DataError, match=f"expected uint8 images N x 48 x 48, got {got}"):
            model.predict(images)
        assert model.predict(IMAGES[:0]).shape == (0, 7)


def test_the_advice_about_images_that_are_not_of_the_format_works(stored: ExpressionModel) -> None:
    for model in (fer_models.load_model("bundled:face_cnn"), stored):
        with pytest.raises(DataError, match=r"list\(pictures\), model=model, faces=\"crop\"\)"):
            model.predict(IMAGES[:, :24, :24] / 255)  # type: ignore[arg-type]
        given = list(IMAGES[:, :24, :24] / 255)
        predicted = fer_models.predict(given, model=model, faces="crop")
        assert [len(one) for one in predicted] == [1] * 4
        with pytest.raises(DataError, match=r"one image as image\[None\]"):
            model.predict(IMAGES[0])
        assert model.predict(IMAGES[0][None]).shape == (1, 7)


@pytest.mark.parametrize("given", [7, None, b"bundled"])
def test_a_name_or_store_that_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match=f"name: expected a text or a path, got {given!r}"):
        fer_models.load_model(given)
    with pytest.raises(ConfigError, match="name: expected a text or a path"):
        fer_models.predict(IMAGES[0], model=given)
    if given is not None:
        with pytest.raises(ConfigError, match="store: expected a text or a path"):
            fer_models.open_store(given)


def test_a_store_is_shown_as_data_frames(tmp_path: Path) -> None:
    artifacts = ArtifactStore(StoreConfig(url=str(tmp_path / "store")))
    network = stored_network(artifacts)
    Registry(artifacts).set(CHAMPION, network.id, "the test says so")
    store = fer_models.open_store(tmp_path / "store")
    assert store.models["id"].tolist() == [network.id]
    assert store.models["role"].tolist() == ["champion"]
    assert str(store.models["made"].dt.tz) == "UTC"
    assert store.datasets["images"].tolist() == [store.datasets["kept"].sum()]
    assert store.datasets.loc[0, "models"] == (network.id,)
    assert store.runs.empty
    assert {"id", "state", "accuracy", "candidate"} <= set(store.runs)
    model = store.load_model()
    assert model.name == network.id
    same = fer_models.load_model("champion", store=tmp_path / "store")
    np.testing.assert_array_equal(same.predict(IMAGES), model.predict(IMAGES))
    assert repr(store) == f"Store({artifacts.url!r})"


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected the folder of a store, got none"):
        fer_models.open_store(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"faces": "crops"}, "faces: expected one of 'auto', 'crop', 'detect', got 'crops'"),
        ({"speed": "slow"}, "speed: expected one of 'fast', 'balanced', 'best', got 'slow'"),
    ],
)
def test_a_misspelt_option_is_refused(options: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        fer_models.predict(IMAGES[0], **options)  # type: ignore[call-overload]
