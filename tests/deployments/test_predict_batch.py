"""`ferflow predict-batch`: inputs, outputs and exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deployments.cli.prediction.predict_batch import command
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.faces.pictures import photo
from tests.fer_models.inference.builders import stored_network, write_picture


def _run(store: ArtifactStore, *arguments: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--store", store.url, "--json"])
    assert result.exit_code == expect, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    for number, face in enumerate(draw_faces(np.arange(3), 3)):
        write_picture(tmp_path / "incoming" / f"{number}.png", face)
    return tmp_path / "incoming"


def test_new_pictures_are_predicted_by_the_champion(store: ArtifactStore, incoming: Path) -> None:
    assert "no champion yet" in _run(store, str(incoming), expect=2)["error"]
    model = stored_network(store)
    Registry(store).set(CHAMPION, model.id, "by a test")
    first = _run(store, str(incoming))
    assert (first["model"], first["predicted"], first["faces"]) == (model.id, 3, 3)
    assert Path(first["tables"][0].removeprefix("file://")).is_file()
    again = _run(store, "--set", f'prediction.pictures=["{incoming}"]')
    assert (again["known"], again["predicted"], again["batches"]) == (3, 0, [])


def test_the_smallest_face_is_an_option_and_a_setting(store: ArtifactStore, tmp_path: Path) -> None:
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    for name in "abc":
        write_picture(tmp_path / name / "photo.png", photo((20, 40, 160), (240, 100, 80)))
    assert _run(store, str(tmp_path / "a"))["faces"] == 2
    assert _run(store, str(tmp_path / "b"), "--min-face", "110")["faces"] == 1
    setting = "prediction.min_face_px=110"
    assert _run(store, str(tmp_path / "c"), "--set", setting)["faces"] == 1


def test_wrong_input_is_explained(store: ArtifactStore, tmp_path: Path) -> None:
    assert "prediction.pictures" in _run(store, expect=2)["error"]
    answer = _run(store, str(tmp_path / "gone"), "/nowhere", expect=2)
    assert len(answer["problems"]) == 2
    answer = _run(store, str(tmp_path), "--model", "nonesuch", expect=2)
    assert "nonesuch" in answer["error"]
