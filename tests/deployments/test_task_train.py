"""`ferflow task train --initial`: go on from a stored model."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from deployments.cli import main
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.split import split_snapshot
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import stored_network


@pytest.fixture
def model(store: ArtifactStore) -> ModelRef:
    """An untrained network of width 0.25, of small stripes."""
    return stored_network(store)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    networks = {"again": {"width": 0.25}, "other": {"width": 0.5}, "larger": {"image_size_px": 64}}
    members = [
        {"name": name, "network": network, "training": {"epochs": 1}}
        for name, network in networks.items()
    ]
    path = tmp_path / "tiny.yaml"
    settings = {"name": "tiny", "tuning": {"enabled": False}, "members": members}
    path.write_text(yaml.safe_dump(settings))
    return path


def train(store: ArtifactStore, model: ModelRef, recipe: Path, *options: str) -> Result:
    snapshot = store.info(model)["snapshot_id"]
    where = ("--store", store.url, "--snapshot", snapshot, "--recipe", str(recipe))
    return CliRunner().invoke(main, ["task", "train", *where, *options])


def trained(result: Result) -> str:
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout.splitlines()[-1])["models"]
    return str(found["id"])


def test_a_training_starts_from_the_weights_of_a_stored_model(
    store: ArtifactStore, model: ModelRef, recipe: Path
) -> None:
    again = ("--member", "again", "--json")
    continued = trained(train(store, model, recipe, *again, "--initial", "small-0"))
    assert lineage(store, continued)["initial"] == model.id
    from_scratch = trained(train(store, model, recipe, *again))
    assert from_scratch != continued


def test_a_final_fit_stands_for_the_model_that_it_repeats(
    store: ArtifactStore, model: ModelRef, recipe: Path
) -> None:
    final = build_final_fit(store, model)
    result = train(store, model, recipe, "--member", "again", "--json", "--initial", final.id)
    assert lineage(store, trained(result))["initial"] == model.id


def test_a_start_from_images_that_are_held_out_now_is_warned_of(
    store: ArtifactStore, model: ModelRef, recipe: Path
) -> None:
    """Another seed draws other splits of the same images."""
    snapshot = store.ref(SnapshotRef, str(store.info(model)["snapshot_id"]))
    redrawn = split_snapshot(store, snapshot, SplittingConfig(strategy="stratified"), seed=1)
    options = ("--member", "again", "--json", "--initial", model.id)
    where = ("--store", store.url, "--recipe", str(recipe), "--snapshot")
    result = CliRunner().invoke(main, ["task", "train", *where, redrawn.id, *options])
    assert trained(result)
    assert "was trained on" in result.stderr
    assert "may be too good" in result.stderr
    assert "may be too good" not in train(store, model, recipe, *options).stderr


def test_a_model_of_another_network_is_refused_for_all_members_at_once(
    store: ArtifactStore, model: ModelRef, recipe: Path
) -> None:
    before = store.list_ids(ModelRef)
    result = train(store, model, recipe, "--initial", model.id)
    assert result.exit_code == 2
    assert "other: small-0 is another network: width 0.25, not 0.5" in result.stderr
    assert "larger: small-0 is another network" in result.stderr
    assert "again:" not in result.stderr
    assert store.list_ids(ModelRef) == before
    assert train(store, model, recipe, "--initial", "nobody").exit_code == 2


def lineage(store: ArtifactStore, model_id: str) -> dict[str, object]:
    found: dict[str, object] = store.read_json(model_ref(store, model_id), "lineage.json")
    return found
