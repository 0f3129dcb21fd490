from pathlib import Path

import pytest

from deployments.reproduction.run import Reproduction
from deployments.reproduction.ways import MODEL, WAYS, recipe_path
from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.shipped import shipped_facts
from fer_models.training.config import TrainingConfig
from flows.recipes import load_config
from tests.test_docs_commands import parse


class _AnyId(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"{key}-id"


def commands(name: str) -> list[tuple[str, list[str]]]:
    plan = Reproduction(name, WAYS[name], ["a.csv"], "store", Path("out"), 3, ["seed=3"], "weights")
    return list(plan.commands(_AnyId()))


def trainings(name: str) -> list[dict[str, object]]:
    return [parse(words) for _, words in commands(name) if words[:2] == ["task", "train"]]


def test_every_shipped_bundle_can_be_trained_again() -> None:
    assert set(WAYS) == set(shipped_facts())


@pytest.mark.parametrize("name", WAYS)
def test_its_commands_exist_and_use_results_of_earlier_ones(name: str) -> None:
    known: set[str] = set()
    for result, words in commands(name):
        parse(words)
        used = {word.removesuffix("-id") for word in words if word.endswith("-id")}
        assert used <= known, words
        known.add(result)
    last = WAYS[name].commands[-1]
    assert last.result == MODEL


@pytest.mark.parametrize("name", WAYS)
def test_each_training_is_of_one_member_of_its_recipe(name: str) -> None:
    for options in trainings(name):
        members = [one.name for one in load_config(str(options["recipe"])).members]
        named = options.get("names") or members
        assert isinstance(named, list)
        assert len(named) == 1
        assert set(named) <= set(members)


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "face_cnn", "face_cnn_large", "face_cnn_small"]
)
def test_network_and_training_are_those_of_the_shipped_weights(name: str) -> None:
    facts = shipped_facts()[name]
    assert isinstance(facts, BundleFacts)
    (options,) = trainings(name)
    config = load_config(str(options["recipe"]))
    names = options.get("names") or [config.members[0].name]
    assert isinstance(names, list)
    member = config.member(names[0])
    # What is open in the recipe was taken from the data.
    network = {k: v for k, v in member.network.model_dump().items() if v is not None}
    assert network == {k: facts.member.network.model_dump()[k] for k in network}
    shipped = TrainingConfig.model_validate(facts.member.model_dump()["training"])
    same_place = {"threads": shipped.threads, "checkpoint_every_s": shipped.checkpoint_every_s}
    assert member.training.model_copy(update=same_place) == shipped


def test_data_seed_settings_and_weights_reach_the_commands_that_take_them() -> None:
    by_step = {" ".join(words[:2]): parse(words) for _, words in commands("face_ensemble_final")}
    assert by_step["task ingest"]["sources"] == ["a.csv"]
    assert "sources" not in by_step["task split"]
    for step in ("task ingest", "task train", "task ensemble", "task final-fit"):
        assert by_step[step]["seed"] == "3"
        assert by_step[step]["assignments"] == ["seed=3"]
    with_folder = [words for _, words in commands("face_ensemble_final") if "weights" in words]
    assert [" ".join(words[:4]) for words in with_folder] == [
        "task train --recipe fer2013-lite0",
        "task final-fit --model ensemble-id",
    ]
    for options in by_step.values():
        assert options["store_url"] == "store"
    export = by_step["models export"]
    assert (export["model_id"], export["name"]) == ("model-id", "face_ensemble_final")
    again = "ferflow models reproduce face_ensemble_final --data a.csv --seed 3 --set seed=3"
    assert export["training_command"] == f"{again} --weights-dir weights"


def test_the_recipe_of_the_average_has_the_networks_that_go_on() -> None:
    config = load_config(recipe_path("soup.yaml"))
    assert [member.name for member in config.members] == ["taught", "further"]
    assert recipe_path("fer2013-small") == "fer2013-small"
