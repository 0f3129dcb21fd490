"""Hostile names of files, columns, values, runs and recipes do nothing on any page in Chromium.

Every page is opened twice: as a browser does, and without its Content-Security-Policy, because
escaping alone has to be enough.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from deployments.pages.server import PageServer
from fer_models.drift.champion import champion_drift
from fer_models.review.page import store_review_page
from fer_models.storage.champions import named_champion
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic
from flows.results import Outcome
from flows.run_pipeline import run_pipeline
from tests.deployments.chromium import chromium_page
from tests.flows.conftest import as_recipe, tiny_config

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.timeout(1800),
]

ATTACK = "<img src=x onerror=document.title='owned'>"
BREAKOUT = "\"'></title></style></textarea></script><svg onload=document.title='owned'>"
# Names of files have no slash.
FILE_ATTACK = "\"'><img src=x onerror=document.title='owned'>{{7*7}}${7*7}"
COLUMN = "<svg onload=document.title='owned'>"
CLASSES = ("calm & co", "tense; alert(1)", "angry")


def write_faces(folder: Path) -> Path:
    """Three classes; names of files, of a column and of its values are attacks."""
    faces = generate_synthetic(SyntheticConfig(num_images=500), seed=3)
    labels = faces.manifest_fields["label"].to_numpy()
    rows = []
    for number, (image, label) in enumerate(zip(faces.images, labels, strict=True)):
        if not 0 <= label < len(CLASSES):
            continue
        name = f"{number:04d}{FILE_ATTACK}.png"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)
        slice_value = (ATTACK, BREAKOUT)[number % 2]
        rows.append({"file": name, "label": CLASSES[label], COLUMN: slice_value})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def attacked(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[ArtifactStore, list[Outcome]]:
    """A store with two runs over the hostile source, a review page and a drift page."""
    folder = tmp_path_factory.mktemp("hostile")
    faces = write_faces(folder / "faces")
    data = {"sources": [str(faces)], "table": {"path": "labels.csv"}, "slice_columns": [COLUMN]}
    outcomes = []
    for seed in (0, 1):
        config = tiny_config(str(folder / "store"), data=data, seed=seed, tuning={"enabled": False})
        outcomes.append(run_pipeline(recipe=as_recipe(config), run_name=f"{ATTACK} {seed}"))
    store = ArtifactStore(config.store)
    for snapshot_id in store.list_ids(SnapshotRef):
        snapshot = store.ref(SnapshotRef, snapshot_id)
        if store.info(snapshot).get("step") == "clean":
            store_review_page(store, snapshot)
    champion_drift(store, [str(faces)], config.retraining.drift, 0, named_champion(store))
    return store, outcomes


@pytest.fixture(scope="module", params=[False, True], ids=["with its policy", "escaping alone"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium_page(tmp_path_factory.mktemp("browser"), bypass_csp=request.param) as opened:
        yield opened


def test_stored_pages_run_nothing(attacked: tuple[ArtifactStore, list[Outcome]], page: Any) -> None:
    store, _ = attacked
    root = root_of(store)
    pages = sorted(root.rglob("*.html"))
    kinds = {file.relative_to(root).parts[0] for file in pages}
    assert {"runs", "explorations", "reviews", "validations", "drifts"} <= kinds, kinds
    for file in pages:
        assert "Content-Security-Policy" in file.read_text(), file
        check_harmless(page, file.as_uri())


def test_served_pages_run_nothing(attacked: tuple[ArtifactStore, list[Outcome]], page: Any) -> None:
    store, outcomes = attacked
    first, second = (outcome.run.id for outcome in outcomes)
    folders = [path.name for path in root_of(store).iterdir() if path.is_dir()]
    with PageServer(store.config, port=0) as server:
        check_harmless(page, server.url)
        check_harmless(page, f"{server.url}/history/")
        check_harmless(page, f"{server.url}/compare/{first}/{second}")
        for folder in folders:
            check_harmless(page, f"{server.url}/{folder}/")
        for model_id in store.list_ids(ModelRef):
            check_harmless(page, f"{server.url}/models/{model_id}/")
            assert "Recognised images of each class" in page.content()
        for attack in (ATTACK, BREAKOUT):
            check_harmless(page, f"{server.url}/runs/{attack}")
            check_harmless(page, f"{server.url}/{attack}/")


def root_of(store: ArtifactStore) -> Path:
    return Path(store.url.removeprefix("file://"))


def check_harmless(page: Any, address: str) -> None:
    """Open a page; nothing of the attacks ran, and none became an element."""
    opened: list[str] = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    page.goto(address, wait_until="load")
    page.wait_for_timeout(50)
    assert page.title() != "owned", address
    assert page.locator("[onerror], [onload]").count() == 0, address
    assert not opened, address
