"""The whole pipeline on other classes than FER2013's: four own ones in colour, and FER+'s eight."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ingest.config import DataConfig
from fer_models.labels import CLASS_NAMES
from fer_models.storage.champions import all_champions, champion_alias, current_champion
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic
from flows.results import Outcome
from flows.run_pipeline import run_pipeline
from tests.flows.conftest import as_recipe, tiny_config

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(1800)]

OWN = {"happy": "cheerful", "sad": "down", "fear": "Very_Tense", "surprise": "surprise"}
OWN_NAMES = ("surprise", "cheerful", "down", "very tense")
SIZE_PX = 96


def write_own_faces(root: Path) -> Path:
    """Four classes of RGB faces of 96 px in `<class>/`, without splits."""
    faces = generate_synthetic(SyntheticConfig(num_images=700), seed=4)
    labels = faces.manifest_fields["label"].to_numpy()
    for row, (image, label) in enumerate(zip(faces.images, labels, strict=True)):
        name = OWN.get(CLASS_NAMES[label]) if label >= 0 else None
        if name is None:
            continue
        grey = np.asarray(Image.fromarray(image).resize((SIZE_PX, SIZE_PX)), dtype=float)
        tinted = np.stack([grey, 0.9 * grey, 0.8 * grey], axis=-1).astype(np.uint8)
        path = root / name / f"{row:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tinted).save(path, quality=90)
    return root


def write_ferplus_faces(root: Path) -> Path:
    """FER+'s eight classes by number, in `train/<number>/` and `test/<number>/`."""
    faces = generate_synthetic(SyntheticConfig(num_images=700), seed=5)
    numbers = [4, 5, 6, 1, 3, 2, 0]  # of FER2013's classes in FER+
    labels = faces.manifest_fields["label"].to_numpy()
    for row, (image, label) in enumerate(zip(faces.images, labels, strict=True)):
        if label < 0:
            continue
        number = 7 if row % 9 == 0 else numbers[label]
        path = root / ("test" if row % 5 == 0 else "train") / str(number) / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def run(store_url: str, data: DataConfig, **changes: object) -> Outcome:
    return run_pipeline(recipe=as_recipe(tiny_config(store_url, data=data, **changes)))


@pytest.fixture(scope="module")
def own_run(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[ArtifactStore, Outcome, Path]:
    folder = tmp_path_factory.mktemp("own")
    faces = write_own_faces(folder / "faces")
    config = tiny_config(str(folder / "store"))
    members = list(config.members)
    network = members[0].network.model_copy(update={"in_channels": 3, "image_size_px": 64})
    members[0] = members[0].model_copy(update={"network": network})
    data = DataConfig(sources=(str(faces),), channels=3)
    outcome = run(config.store.url, data, members=members)
    return ArtifactStore(config.store), outcome, faces


def test_four_own_classes_in_colour_reach_a_champion_and_a_report(
    own_run: tuple[ArtifactStore, Outcome, Path],
) -> None:
    store, outcome, _ = own_run
    snapshot = open_snapshot(store, outcome.trained.prepared.snapshot)
    assert snapshot.classes.names == OWN_NAMES
    assert snapshot.image_format == ImageFormat(SIZE_PX, 3)
    assert outcome.trained.tuning is not None
    champion = current_champion(store, snapshot.classes)
    assert champion is not None
    assert champion.model_id == outcome.promotion.candidate_id
    assert current_champion(store, FER2013_CLASSES) is None
    page = store.read_file(outcome.run, "report.html").decode()
    assert all(name in page for name in OWN_NAMES)
    assert not {"angry", "disgust", "neutral"} & set(page.lower().split())


def test_predictions_have_the_classes_of_the_model(
    own_run: tuple[ArtifactStore, Outcome, Path], tmp_path: Path
) -> None:
    store, _, faces = own_run
    command = [sys.executable, "-m", "deployments", "predict", str(faces / "cheerful")]
    command += ["--model", "champion", "--store", store.url, "--out", str(tmp_path / "out.csv")]
    subprocess.run(command, check=True, capture_output=True)
    table = pd.read_csv(tmp_path / "out.csv")
    names = [f"p_{name}" for name in OWN_NAMES]
    assert [name for name in table.columns if name.startswith("p_")] == names
    assert set(table["label"]) <= set(OWN_NAMES)
    np.testing.assert_allclose(table[names].sum(axis=1), 1, atol=1e-4)


def test_ferplus_classes_have_a_champion_of_their_own_in_the_same_store(
    own_run: tuple[ArtifactStore, Outcome, Path], tmp_path: Path
) -> None:
    store, first, _ = own_run
    faces = write_ferplus_faces(tmp_path / "faces")
    data = DataConfig(sources=(str(faces),), label_scheme="ferplus")
    outcome = run(store.url, data, tuning={"enabled": False}, scoring={"enabled": False})
    snapshot = open_snapshot(store, outcome.trained.prepared.snapshot)
    assert snapshot.classes == ClassList.named([*CLASS_NAMES, "contempt"])
    assert outcome.promotion.champion_id is None
    assert outcome.promotion.promoted
    champions = {alias: entry.model_id for alias, entry in all_champions(store).items()}
    assert champions == {
        champion_alias(ClassList.named(OWN_NAMES)): first.promotion.candidate_id,
        champion_alias(snapshot.classes): outcome.promotion.candidate_id,
    }
