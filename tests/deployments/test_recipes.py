"""`ferflow recipes`: which recipes there are, also beside one that can't be used any more."""

import json

from click.testing import CliRunner

from deployments.cli.recipes import command
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config, save_recipe


def test_an_outdated_recipe_is_listed_with_its_problem(store: ArtifactStore) -> None:
    save_recipe(store, "ours", load_config("demo"))
    store.write_bytes("recipes/older.yaml", b"tuning: {num_trails: 3}\n")
    store.write_bytes("recipes/torn.yaml", b"name: [unclosed")
    done = CliRunner().invoke(command, ["list", "--store", store.url])
    assert done.exit_code == 0, done.output
    for part in ("demo", "ours", "older", "torn", "can't be used"):
        assert part in done.stdout
    assert "tuning.num_trails: unknown setting" in done.stdout
    assert "torn.yaml: not valid YAML" in done.stdout
    assert f"correct {store.url}/recipes/older.yaml, or save it again" in done.stdout


def test_json_names_the_recipes_that_cannot_be_used(store: ArtifactStore) -> None:
    store.write_bytes("recipes/older.yaml", b"tuning: {num_trails: 3}\n")
    done = CliRunner().invoke(command, ["list", "--store", store.url, "--json"])
    facts = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == 0
    assert facts["saved"] == ["older"]
    assert list(facts["unusable"]) == ["older"]
    assert "num_trails" in facts["unusable"]["older"]


def test_saving_it_again_makes_an_outdated_recipe_usable(store: ArtifactStore) -> None:
    store.write_bytes("recipes/older.yaml", b"tuning: {num_trails: 3}\n")
    arguments = ["save", "older", "--replace", "--recipe", "fer2013", "--store", store.url]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    done = CliRunner().invoke(command, ["list", "--store", store.url, "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["unusable"] == {}
