"""`ferflow drift`: inputs, outputs and exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from deployments.cli.drift import command
from fer_models.drift import champion as champion_module
from fer_models.drift.results import REPORT_FILE, RESULT_FILE, Measure
from fer_models.storage.refs import DriftRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_faces


def _run(store: ArtifactStore, *arguments: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--store", store.url, "--json"])
    assert result.exit_code == expect, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def recent(tmp_path: Path) -> Path:
    folder = tmp_path / "recent"
    folder.mkdir()
    for row, face in enumerate(draw_faces(np.arange(12) % 7, 3)):
        Image.fromarray(face).save(folder / f"{row}.png")
    return folder


@pytest.fixture
def champion_id(store: ArtifactStore) -> str:
    model = build_model(store, build_snapshot(store))
    Registry(store).set(CHAMPION, model.id, "by a test")
    return model.id


def test_without_images_the_command_says_what_to_name(store: ArtifactStore) -> None:
    answer = _run(store, expect=2)
    assert "retraining.recent_images" in answer["error"]


def test_without_a_champion_the_command_says_so(store: ArtifactStore, recent: Path) -> None:
    assert "no champion yet" in _run(store, str(recent), expect=2)["error"]


def test_too_few_images_are_not_judged(
    store: ArtifactStore, recent: Path, champion_id: str
) -> None:
    answer = _run(store, str(recent), "--fail")
    assert (answer["judged"], answer["detected"], answer["images"]) == (False, False, 12)
    assert answer["champion"] == champion_id
    assert Path(answer["report"].removeprefix("file://")).is_file()


def test_the_recipe_can_name_the_images(
    store: ArtifactStore, recent: Path, champion_id: str
) -> None:
    answer = _run(store, "--set", f'retraining.recent_images=["{recent}"]')
    assert answer["images"] == 12


def test_fail_turns_drift_into_exit_code_3(
    store: ArtifactStore, recent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Measure(
        group="image",
        name="brightness",
        value=1.0,
        limit=0.2,
        p_value=0.0,
        fired=True,
        observed="PSI 1.000",
        threshold="PSI above 0.2",
        text="darker",
        details={},
    )
    facts: dict[str, Any] = {
        "champion_id": "model-1",
        "num_images": 300,
        "judged": True,
        "detected": True,
    }
    content = json.dumps({"measures": [measure.model_dump()]}).encode()
    files = {RESULT_FILE: content, REPORT_FILE: b"<html></html>"}
    drift = store.put(DriftRef, "drift-1", files, facts, **facts, report_url="file:///report")
    monkeypatch.setattr(champion_module, "champion_drift", lambda *_: drift)
    assert _run(store, str(recent))["fired"] == ["brightness"]
    assert _run(store, str(recent), "--fail", expect=3)["detected"]
