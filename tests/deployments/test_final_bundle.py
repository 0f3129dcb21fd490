"""The bundle of a final fit: whose accuracy is shown where."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from deployments.inference_server.models.card import card_sections
from fer_models.bundles import shipped
from fer_models.inference.export_onnx import write_onnx
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import stored_network


@pytest.fixture
def model(store: ArtifactStore) -> ModelRef:
    return stored_network(store)


@pytest.fixture
def final(store: ArtifactStore, model: ModelRef) -> ModelRef:
    return build_final_fit(store, model)


def ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def export(store: ArtifactStore, final: ModelRef, folder: Path, *more: str) -> Result:
    url = ("--store", store.url, "--name", "final")
    return ferflow("export", final.id, str(folder), *url, *more)


def test_an_export_says_whose_accuracy_it_shows(
    store: ArtifactStore, model: ModelRef, final: ModelRef, tmp_path: Path
) -> None:
    text = export(store, final, tmp_path).output
    assert f"a final fit; its accuracy on validation images is that of {model.id}" in " ".join(
        text.split()
    )
    told = json.loads(export(store, final, tmp_path, "--json").stdout.splitlines()[-1])
    assert told["final_fit_of"] == model.id
    assert set(told["accuracy"]) == {"validation", "validation_unseen", "test", "test_unseen"}


def test_the_servers_card_says_whose_accuracy_it_shows(
    store: ArtifactStore, model: ModelRef, final: ModelRef, tmp_path: Path
) -> None:
    export(store, final, tmp_path)
    onnx, _ = write_onnx(str(tmp_path / "final.json"), tmp_path)
    for file in (tmp_path / "final.json", onnx):
        text = json.dumps(card_sections(str(file), None))
        assert f"validation ({model.id})" in text
        assert f"chosen with {model.id}" in text
        assert '["test", ' in text


def test_a_shipped_final_fit_is_marked_in_the_list(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {name: one for name, one in shipped.shipped_facts().items() if not one.final_fit_of}
    monkeypatch.setattr(shipped, "shipped_facts", lambda: facts)
    listed = ferflow("list", "--store", store.url).output
    assert "final fit" not in listed
    marked = facts["face_cnn"].model_copy(update={"final_fit_of": "face_cnn-1"})
    monkeypatch.setattr(shipped, "shipped_facts", lambda: facts | {"face_cnn": marked})
    listed = ferflow("list", "--store", store.url).output
    accuracy = 100 * marked.speeds["best"].accuracy["validation"].accuracy
    assert f"{accuracy:.1f}+" in listed
    assert "+: a final fit" in listed
