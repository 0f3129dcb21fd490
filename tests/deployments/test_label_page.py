"""`ferflow review --unlabelled`: from new pictures to labels of training images."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from deployments.cli.review.page import command as review
from deployments.cli.task.data import ingest
from fer_models.dataset.snapshot import open_snapshot
from fer_models.labels import CLASS_NAMES, LABELLED_SOURCE
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.deployments.browser import saved, tile
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


def _run(command: Any, store: ArtifactStore, *arguments: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--store", store.url, "--json"])
    assert result.exit_code == expect, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def incoming(store: ArtifactStore, tmp_path: Path) -> Path:
    """New pictures, and a champion that does not know them."""
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    for number, face in enumerate(draw_faces(np.arange(5), 3)):
        write_picture(tmp_path / "new" / f"{number}.png", face)
    return tmp_path / "new"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, face in enumerate(draw_faces(np.arange(14) % 7, 4)):
        write_picture(tmp_path / "data" / CLASS_NAMES[number % 7] / f"{number}.png", face)
    return tmp_path / "data"


@pytest.mark.slow
@pytest.mark.browser
def test_faces_labelled_on_the_page_become_training_images(
    store: ArtifactStore, incoming: Path, data: Path, tmp_path: Path, browser: "BrowserContext"
) -> None:
    page_file = tmp_path / "faces to label.html"
    facts = _run(review, store, "--unlabelled", str(incoming), "--out", str(page_file))
    assert (facts["chosen"], facts["by"]) == (5, "margin")
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    assert page.locator("h1").inner_text() == "Which expression does the face show?"
    assert page.get_by_role("button", name="Keep").count() == 0
    for key in ("4", "k", "s", "d"):  # happy; nothing; skip; not a face
        page.keyboard.press(key)
    tile(page, 3).click()
    page.locator("#inspector").get_by_role("button", name="sad").click()
    assert "not a face" in tile(page, 2).inner_text()
    assert page.locator("#counter").inner_text() == "3 of 5 decided, 3 new"
    command = page.locator("#command").inner_text()
    decisions = saved(page, tmp_path)
    page.close()
    assert errors == []
    assert shlex.split(command)[-2:] == ["--decisions", decisions.name]
    answer = _run(ingest, store, "--data", str(data), "--decisions", str(decisions))
    assert (answer["labelled"], answer["not_a_face"]) == (2, 1)
    opened = open_snapshot(store, store.ref(SnapshotRef, answer["snapshot"]))
    added = opened.manifest[opened.manifest["source"] == LABELLED_SOURCE]
    assert sorted(CLASS_NAMES[label] for label in added["label"]) == ["happy", "sad"]
    # Later runs add them without the file.
    assert _run(ingest, store, "--data", str(data))["snapshot"] == answer["snapshot"]
    without = _run(ingest, store, "--data", str(data), "--set", "data.labelled=false")
    assert without["num_images"] == answer["num_images"] - 2


def test_tasks_for_label_studio_come_back_as_labels(
    store: ArtifactStore, incoming: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "label-studio"
    facts = _run(review, store, "--unlabelled", str(incoming), "--label-studio", str(folder))
    tasks = json.loads((folder / "tasks.json").read_text())
    assert facts["tasks"] == len(tasks) == 5
    assert "<Choices" in (folder / "labeling-config.xml").read_text()
    value = {"from_name": "expression", "type": "choices", "value": {"choices": ["happy"]}}
    exported = [{"id": 1, "data": tasks[0]["data"], "annotations": [{"id": 1, "result": [value]}]}]
    (tmp_path / "export.json").write_text(json.dumps(exported))
    export = str(tmp_path / "export.json")
    answer = _run(ingest, store, "--data", str(data), "--decisions", export)
    assert (answer["labelled"], answer["labelled_faces"]) == (1, 1)


def test_wrong_input_is_explained(store: ArtifactStore, incoming: Path, tmp_path: Path) -> None:
    answer = _run(review, store, "--unlabelled", str(tmp_path / "gone"), expect=2)
    assert "gone" in answer["problems"][0]
    answer = _run(review, store, "--label-studio", str(tmp_path), expect=2)
    assert "--unlabelled" in answer["error"]
    arguments = ("--unlabelled", str(incoming), "--by", "disagreement")
    assert "choose margin or entropy" in _run(review, store, *arguments, expect=2)["error"]
    answer = _run(ingest, store, "--decisions", str(tmp_path / "none.csv"), expect=2)
    assert "can't read the decisions file" in answer["error"]
    answer = _run(ingest, store, "--decisions", "a.csv", "--set", "data.labelled=false", expect=2)
    assert "data.labelled" in answer["error"]
