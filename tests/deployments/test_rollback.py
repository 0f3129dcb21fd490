"""`ferflow models rollback`: back to the previous champion, or to any model."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from fer_models.labels import CLASS_NAMES
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore


@pytest.fixture
def champions(store: ArtifactStore) -> ArtifactStore:
    """A store with the models first, second and rival; second replaced first as the champion."""
    for name in ("first", "second", "rival"):
        files = {"preprocessing.json": json_bytes({"classes": list(CLASS_NAMES)})}
        store.put(ModelRef, name, files, {"name": name, "kind": "network"}, name=name)
    for name in ("first", "second"):
        Registry(store).set(CHAMPION, name, "promoted")
    return store


def rollback(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", "rollback", *arguments, "--store", store.url])


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


def test_a_given_model_replaces_any_champion(overtaken: ArtifactStore) -> None:
    done = rollback(overtaken, "first")
    assert done.exit_code == 0, done.output
    assert history(overtaken) == ["first", "second", "rival", "first"]
