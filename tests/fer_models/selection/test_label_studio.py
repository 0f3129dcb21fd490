"""Label Studio: tasks in its format, and answers from its export."""

import base64
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from fer_models.errors import DataError
from fer_models.labelled.versions import open_labels
from fer_models.labels import CLASS_NAMES
from fer_models.selection.choose import Selection, choose_faces
from fer_models.selection.config import SelectionConfig
from fer_models.selection.label_studio.annotations import read_annotations
from fer_models.selection.label_studio.tasks import labeling_config, tasks_of
from fer_models.selection.labels import apply_labels
from fer_models.selection.stored import open_selection
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture

FACES = draw_faces(np.arange(6) % 7, 3)


@pytest.fixture
def selection(store: ArtifactStore, tmp_path: Path) -> Selection:
    for number, face in enumerate(FACES):
        write_picture(tmp_path / "new" / f"{number} ä.png", face)
    model = stored_network(store)
    return choose_faces(store, [str(tmp_path / "new")], model.id, SelectionConfig(count=6))


def _annotation(
    choice: str | None, person: Any = 1, *, skipped: bool = False, **fields: Any
) -> dict[str, Any]:
    """An annotation as Label Studio exports it; without a choice its result is empty."""
    result = {
        "id": "Dx_aB91ISN",
        "from_name": "expression",
        "to_name": "image",
        "type": "choices",
        "origin": "manual",
        "value": {"choices": [choice]},
    }
    return {
        "id": 1001,
        "completed_by": person,
        "result": [] if choice is None else [result],
        "was_cancelled": skipped,
        "ground_truth": False,
        "created_at": "2026-11-28T15:30:00.000000Z",
        "updated_at": "2026-11-28T15:30:00.000000Z",
        "lead_time": 4.2,
        "draft_created_at": None,
        "prediction": {},
        **fields,
    }


def _export(path: Path, tasks: list[dict[str, Any]], *answers: list[dict[str, Any]]) -> Path:
    """The project's tasks with annotations, as its button `Export` writes them."""
    exported = [
        {
            "id": 40 + number,
            "inner_id": number,
            "project": 3,
            "file_upload": "0a1b2c3d-tasks.json",
            "created_at": "2026-11-28T15:00:00.000000Z",
            "updated_at": "2026-11-28T15:31:00.000000Z",
            "data": task["data"],
            "annotations": annotations,
            "predictions": [],
            "drafts": [],
            "meta": {},
            "total_annotations": len(annotations),
            "cancelled_annotations": 0,
        }
        for number, (task, annotations) in enumerate(zip(tasks, answers, strict=False), start=1)
    ]
    path.write_text(json.dumps(exported))
    return path


def test_tasks_have_the_faces_and_the_predictions(
    store: ArtifactStore, selection: Selection
) -> None:
    table, images = open_selection(store, selection.ref)
    tasks = tasks_of(store, selection.ref)
    config = ET.fromstring(labeling_config(CLASS_NAMES))
    choices = config.find("Choices")
    assert choices is not None
    values = [choice.get("value") for choice in choices]
    assert values == [*CLASS_NAMES, "not a face"]
    for task, row, image in zip(tasks, table.to_dict("records"), images, strict=True):
        kind, _, content = task["data"]["image"].partition(",")
        assert kind == "data:image/png;base64"
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        np.testing.assert_array_equal(shown, image)
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        assert prediction["model_version"] == "small-0"
        assert prediction["score"] == pytest.approx(row[f"p_{row['suggestion']}"], abs=1e-6)
        # What the prediction refers to must be in the labeling config.
        assert result["from_name"] == choices.get("name")
        assert result["to_name"] == choices.get("toName") == config.find("Image").get("name")  # type: ignore[union-attr]
        assert result["value"]["choices"][0] in values
        assert f"${result['to_name']}" == config.find("Image").get("value")  # type: ignore[union-attr]


def test_tasks_can_refer_to_files_that_label_studio_serves(
    store: ArtifactStore, selection: Selection, tmp_path: Path
) -> None:
    urls = {task["data"]["image"] for task in tasks_of(store, selection.ref, str(tmp_path))}
    assert "/data/local-files/?d=new/0%20%C3%A4.png" in urls
    with pytest.raises(DataError) as caught:
        tasks_of(store, selection.ref, "/srv/pictures")
    assert len(caught.value.problems) == 6


def test_the_majority_of_the_annotators_decides(
    store: ArtifactStore, selection: Selection, tmp_path: Path
) -> None:
    tasks = tasks_of(store, selection.ref)
    export = _export(
        tmp_path / "export.json",
        tasks,
        [_annotation("happy", 1), _annotation("happy", {"id": 2}), _annotation("sad", 3)],
        [_annotation("not a face")],
        [_annotation("happy", 1), _annotation("sad", 2)],
        [_annotation("fear", skipped=True)],
        [],
        [_annotation("sad", 1), _annotation("sad", 2), _annotation("fear", 3, ground_truth=True)],
    )
    applied = apply_labels(store, export)
    assert applied.version is not None
    labels = open_labels(store, applied.version)
    ids = [task["data"]["image_id"] for task in tasks]
    assert dict(zip(labels["face_id"], labels["label"], strict=True)) == {
        ids[0]: "happy",
        ids[1]: "",
        ids[5]: "fear",
    }
    assert labels["note"].iloc[0] == "Label Studio, 2 of 3"
    assert applied.notes == (
        f"{ids[2]}: no majority (happy 1, sad 1)",
        "1 skipped",
        "1 without an answer",
    )


def test_the_last_annotation_of_a_person_counts(
    store: ArtifactStore, selection: Selection, tmp_path: Path
) -> None:
    later = _annotation("sad", 1, updated_at="2026-11-28T16:00:00.000000Z")
    tasks = tasks_of(store, selection.ref)
    export = _export(tmp_path / "e.json", tasks, [later, _annotation("happy", 1)])
    assert read_annotations(export).decisions["label"].tolist() == ["sad"]


def test_all_problems_of_an_export_are_reported(
    store: ArtifactStore, selection: Selection, tmp_path: Path
) -> None:
    tasks = tasks_of(store, selection.ref)
    twice = _annotation("happy")
    twice["result"][0]["value"]["choices"] = ["happy", "sad"]
    foreign = {"data": {"image": "https://example.com/1.jpg"}}
    answers = [[_annotation("sleepy")], [twice], [_annotation("sad")], [_annotation("sad")]]
    export = _export(tmp_path / "e.json", [*tasks[:2], foreign, tasks[0]], *answers)
    with pytest.raises(DataError) as caught:
        apply_labels(store, export)
    expected = ("'sleepy'", "'happy + sad'", "data.image_id", "another task")
    for problem, text in zip(caught.value.problems, expected, strict=True):
        assert text in problem


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}',
        '[{"id": 1, "image": "x", "choice": "happy"}]',
        "[1]",
        "not JSON",
        "[" * 100_000,
        '["\\ud800"]',
    ],
)
def test_other_json_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(content)
    with pytest.raises(DataError, match="expected a"):
        read_annotations(path)


def test_classes_that_are_no_names_are_refused(tmp_path: Path) -> None:
    data = {"image": "x", "image_id": "a", "classes": [["happy"], "sad"]}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"id": 1, "data": data, "annotations": [_annotation("sad")]}]))
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert "data.classes" in caught.value.problems[0]
