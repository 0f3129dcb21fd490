"""`ferflow task final-fit`: the final fit of any stored model."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

import tasks.final_fit
from deployments.cli import main
from fer_models.ensembling.averaging import average_networks
from fer_models.evaluation.predictions import final_fit_of, model_ref, networks_of
from fer_models.storage.latest import remember
from fer_models.storage.refs import EnsembleRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.train import train_member
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import imported_network, stored_ensemble
from tests.fer_models.training.faces import write_faces

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def trained(store: ArtifactStore) -> list[ModelRef]:
    """Two networks after one epoch each."""
    snapshot = write_faces(store)
    member = MemberConfig.model_validate(
        {"name": "tiny", "network": {"width": 0.25}, "training": {"epochs": 1}}
    )
    off = TrackingConfig(mode="disabled")
    return [train_member(store, snapshot, member, seed, off) for seed in range(2)]


def final_fit(store: ArtifactStore, *options: str) -> Result:
    return CliRunner().invoke(main, ["task", "final-fit", "--store", store.url, *options])


def facts(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_all_that_an_ensemble_is_made_of_is_trained_once_more(
    store: ArtifactStore, trained: list[ModelRef]
) -> None:
    average = average_networks(store, trained, name="soup")
    ensemble = stored_ensemble(store, [average, trained[0]])
    made = facts(final_fit(store, "--model", ensemble.id, "--json"))
    assert made["model"] == ensemble.id
    final = model_ref(store, made["final_fit"])
    assert final_fit_of(store, final) == ensemble.id
    soup, single = networks_of(store, final)
    assert final_fit_of(store, soup) == average.id
    assert single.id == made["networks"][0]
    networks = [model_ref(store, one) for one in made["networks"]]
    assert [final_fit_of(store, one) for one in networks] == [one.id for one in trained]
    assert made["next"] == f"ferflow task evaluate --model {final.id}"
    models = store.list_ids(ModelRef)
    assert facts(final_fit(store, "--model", ensemble.id, "--json")) == made
    assert store.list_ids(ModelRef) == models
    evaluated = ["task", "evaluate", "--store", store.url, "--model", final.id]
    assert CliRunner().invoke(main, evaluated).exit_code == 0


def test_the_latest_candidate_is_the_default(store: ArtifactStore, trained: list[ModelRef]) -> None:
    built = store.put(EnsembleRef, "one", {"a": b"{}"}, {}, candidate=trained[1], ensembles=())
    remember(store, "ensemble", built)
    made = facts(final_fit(store, "--json"))
    assert made["model"] == trained[1].id
    assert made["networks"] == [made["final_fit"]]


def test_what_has_no_training_to_repeat_is_refused(
    store: ArtifactStore, trained: list[ModelRef]
) -> None:
    imported = imported_network(store, trained[0])
    result = final_fit(store, "--model", imported.id)
    assert result.exit_code == 2
    assert f"{imported.id} was imported, so there is no training of it to repeat" in result.stderr
    assert "Traceback" not in result.output
    final = facts(final_fit(store, "--model", trained[0].id, "--json"))["final_fit"]
    result = final_fit(store, "--model", final)
    assert result.exit_code == 2
    assert f"is the final fit of {trained[0].id}" in result.stderr
    assert final_fit(store, "--model", "nobody").exit_code == 2


def test_a_given_folder_of_weights_comes_before_that_of_the_recipe(
    store: ArtifactStore,
    trained: list[ModelRef],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders: list[str | None] = []

    def spy(_: ArtifactStore, model: ModelRef, __: TrackingConfig, folder: str | None) -> ModelRef:
        folders.append(folder)
        return build_final_fit(store, model)

    monkeypatch.setattr(tasks.final_fit, "fit_final", spy)
    network = {"name": "resnet34", "in_channels": 3, "pretrained": True, "weights_dir": "/recipe"}
    recipe = tmp_path / "tiny.yaml"
    members = [{"name": "tiny", "network": network}]
    recipe.write_text(
        yaml.safe_dump({"name": "tiny", "tuning": {"enabled": False}, "members": members})
    )
    options = ("--model", trained[0].id, "--recipe", str(recipe), "--json")
    monkeypatch.chdir(tmp_path)
    for given in ((), ("--weights-dir", "mine")):
        facts(final_fit(store, *options, *given))
    assert folders == ["/recipe", str(tmp_path / "mine")]


def test_a_folder_of_weights_is_not_for_networks_that_start_from_shipped_ones(
    store: ArtifactStore, trained: list[ModelRef], tmp_path: Path
) -> None:
    recipe = tmp_path / "own.yaml"
    network = {"name": "face_cnn", "width": 0.65, "image_size_px": 40, "pretrained": True}
    member = {"name": "own", "network": network, "training": {"epochs": 1}}
    recipe.write_text(
        yaml.safe_dump({"name": "own", "tuning": {"enabled": False}, "members": [member]})
    )
    snapshot = store.info(trained[0])["snapshot_id"]
    where = ("--store", store.url, "--snapshot", snapshot, "--recipe", str(recipe))
    train = CliRunner().invoke(main, ["task", "train", *where, "--no-tuning", "--json"])
    [model] = facts(train)["models"]
    made = facts(final_fit(store, "--model", model["id"], "--weights-dir", str(tmp_path), "--json"))
    assert final_fit_of(store, model_ref(store, made["final_fit"])) == model["id"]
