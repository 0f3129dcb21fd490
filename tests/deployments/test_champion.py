"""`ferflow models promote` and `rollback`: a person changes the champion."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from fer_models.classes.class_list import ClassList
from fer_models.labels import CLASS_NAMES
from fer_models.promotion.by_hand import current_user
from fer_models.storage.champions import champion_alias
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


@pytest.fixture
def champions(store: ArtifactStore) -> ArtifactStore:
    """A store with the models first, second and rival; second replaced first as the champion."""
    for name in ("first", "second", "rival"):
        files = {"preprocessing.json": json_bytes({"classes": list(CLASS_NAMES)})}
        store.put(ModelRef, name, files, {"name": name, "kind": "network"}, name=name)
    for name in ("first", "second"):
        Registry(store).set(CHAMPION, name, "promoted")
    return store


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    options = ("--store", store.url)
    return CliRunner().invoke(main, ["models", *arguments, *options], env={"COLUMNS": "80"})


def rollback(store: ArtifactStore, *arguments: str) -> Result:
    return ferflow(store, "rollback", "--reason", "too many false alarms", *arguments)


def history(store: ArtifactStore) -> list[str]:
    return [entry.model_id for entry in Registry(store).history(CHAMPION)]


@pytest.fixture
def overtaken(champions: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    """The rival is promoted just before the next change of the registry."""
    set_alias = Registry.set

    def late(registry: Registry, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(Registry, "set", set_alias)
        set_alias(Registry(champions), CHAMPION, "rival", "promoted")
        return set_alias(registry, *args, **kwargs)

    monkeypatch.setattr(Registry, "set", late)
    return champions


def test_the_previous_champion_is_restored(champions: ArtifactStore) -> None:
    done = rollback(champions)
    assert done.exit_code == 0, done.output
    assert history(champions) == ["first", "second", "first"]


def test_the_previous_champion_is_not_restored_after_another_promotion(
    overtaken: ArtifactStore,
) -> None:
    done = rollback(overtaken)
    assert done.exit_code == 2
    assert "another run changed the champion from second to rival" in done.stderr
    assert history(overtaken) == ["first", "second", "rival"]


def test_a_rollback_is_an_entry_with_reason_and_author(champions: ArtifactStore) -> None:
    entry = Registry(champions).history()[0]
    details = {"snapshot_id": "data", "selection_model_id": "first-selected", "decision": "d"}
    Registry(champions).set(CHAMPION, "first", "promoted", details)
    Registry(champions).set(CHAMPION, "second", "promoted")
    done = rollback(champions, "--json")
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["champion"], answer["previous"]) == ("first", "second")
    last = Registry(champions).current(CHAMPION)
    assert last is not None
    assert last.number == answer["entry"] == entry.number + 4
    assert last.reason == "too many false alarms"
    assert last.details == {
        "snapshot_id": "data",
        "selection_model_id": "first-selected",
        "by": current_user(),
        "rolled_back_to": 3,
    }


def test_any_entry_can_come_back(champions: ArtifactStore) -> None:
    Registry(champions).set(CHAMPION, "rival", "promoted")
    done = rollback(champions, "--to", "1")
    assert done.exit_code == 0, done.output
    assert history(champions) == ["first", "second", "rival", "first"]


@pytest.mark.parametrize(
    ("to", "message"),
    [("7", "no entry 7; expected one of 1, 2"), ("2", "second of entry 2 is the champion already")],
)
def test_an_entry_that_can_not_come_back_is_refused(
    champions: ArtifactStore, to: str, message: str
) -> None:
    done = rollback(champions, "--to", to)
    assert done.exit_code == 2
    assert message in done.stderr
    assert history(champions) == ["first", "second"]


def test_a_model_that_is_gone_does_not_come_back(champions: ArtifactStore) -> None:
    champions.remove_folder("models/first")
    done = rollback(champions)
    assert done.exit_code == 2
    assert "artifact first is missing from the store; choose another entry with --to" in done.stderr
    assert history(champions) == ["first", "second"]


def test_each_class_list_is_rolled_back_alone(champions: ArtifactStore) -> None:
    own = ClassList.named(("open", "closed"))
    files = {"preprocessing.json": json_bytes({"classes": list(own.names)})}
    for name in ("own-1", "own-2"):
        champions.put(ModelRef, name, files, {"name": name, "kind": "network"}, name=name)
        assert ferflow(champions, "promote", name, "--reason", "ours").exit_code == 0
    unclear = rollback(champions)
    assert unclear.exit_code == 2
    assert "a champion for each of 2 class lists" in unclear.stderr
    done = rollback(champions, "--champion", champion_alias(own))
    assert done.exit_code == 0, done.output
    assert [entry.model_id for entry in Registry(champions).history(champion_alias(own))] == [
        "own-1",
        "own-2",
        "own-1",
    ]
    assert history(champions) == ["first", "second"]
    assert rollback(champions, "--to", "1").exit_code == 0
    assert history(champions) == ["first", "second", "first"]


def test_a_promotion_by_hand_is_in_the_history_with_its_author(champions: ArtifactStore) -> None:
    done = ferflow(champions, "promote", "rival", "--reason", "the images are too old")
    assert done.exit_code == 0, done.output
    entry = Registry(champions).current(CHAMPION)
    assert entry is not None
    assert (entry.model_id, entry.previous_id) == ("rival", "second")
    assert entry.reason == "the images are too old"
    assert entry.details["by"] == current_user()
    output = " ".join(ferflow(champions, "history").output.split())
    for part in ("the images are", "too old", "second", "rival", "by"):
        assert part in output


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_promotion_by_hand_needs_a_reason(champions: ArtifactStore, reason: str) -> None:
    done = ferflow(champions, "promote", "rival", "--reason", reason)
    assert done.exit_code == 2
    assert "expected a reason" in done.stderr
    assert history(champions) == ["first", "second"]


def test_the_champion_is_not_promoted_again(champions: ArtifactStore) -> None:
    done = ferflow(champions, "promote", "second", "--reason", "why not")
    assert done.exit_code == 2
    assert "second is the champion already (entry 2: promoted)" in done.stderr


def test_a_damaged_model_is_not_promoted(champions: ArtifactStore) -> None:
    champions.write_bytes("models/rival/preprocessing.json", b"{}")
    done = ferflow(champions, "promote", "rival", "--reason", "why not")
    assert done.exit_code == 2
    assert "the artifact rival is damaged" in done.stderr
    assert history(champions) == ["first", "second"]


def test_a_promotion_by_hand_does_not_overwrite_another_one(overtaken: ArtifactStore) -> None:
    done = ferflow(overtaken, "promote", "first", "--reason", "by hand")
    assert done.exit_code == 2
    assert "another run changed the champion from second to rival" in done.stderr
    assert history(overtaken) == ["first", "second", "rival"]


def test_the_gate_is_asked_about_one_model_and_shows_every_criterion(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, 140)
    model = build_model(store, snapshot, skill=-5.0)
    asked = ("task", "promote", "--model", model.id, "--snapshot", snapshot.id)
    options = ("--store", store.url)
    done = CliRunner().invoke(main, [*asked, *options, "--json"])
    assert done.exit_code == 3, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    outcomes = {one["name"]: one["outcome"] for one in answer["criteria"]}
    assert outcomes["accuracy"] == "failed"
    assert outcomes["data gate"] == "not judged"
    shown = CliRunner().invoke(main, [*asked, *options], env={"COLUMNS": "120"}).output
    assert "at least 30 %" in shown
    assert all(name in shown for name in outcomes)
