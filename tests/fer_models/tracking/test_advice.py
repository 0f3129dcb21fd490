"""The setting that messages about tracking name: following it changes where runs go."""

import importlib.util
from pathlib import Path

import pytest

from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking import background
from fer_models.tracking.mode import check_tracking, destination
from flows.recipes import load_config
from tests.fer_models.following import assigned, refusal
from tests.fer_models.tracking.test_artifacts import REGISTRY, _link, _Run


def check(settings: list[str]) -> str:
    """Check these settings; where runs go."""
    config = load_config("demo", settings).tracking
    check_tracking(config)
    return destination(config).target


def test_without_a_key_runs_are_kept_here_as_proposed() -> None:
    message = refusal(check, ["tracking.mode=online"])
    assert assigned(message) == ["tracking.mode=online", "tracking.mode=offline"]
    assert check(["tracking.mode=offline"]) == "offline"


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_setting_replaces_a_variable_without_meaning(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    assert "or set tracking.mode" in refusal(check, ["tracking.mode=auto"])
    assert check([f"tracking.mode={mode}"]) == mode


def test_without_wandb_nothing_is_tracked_as_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    *_, proposed = assigned(refusal(check, ["tracking.mode=online"]))
    assert proposed == "tracking.mode=disabled"
    assert check([proposed]) == "disabled"


def test_a_champion_is_linked_online_as_proposed(
    tmp_path: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.put(ModelRef, "small-1", {"weights": b"12"}, {"name": "small"}, name="small")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    run = _Run()
    folder = [f"tracking.folder={tmp_path / 'w'}", f"tracking.registry={REGISTRY}"]
    offline = load_config("demo", [*folder, "tracking.mode=offline"]).tracking
    [warning] = _link(store, model, offline)
    [proposed] = assigned(warning)
    assert proposed == "tracking.mode=online"
    monkeypatch.setattr(background, "_start", lambda *_: run)
    assert _link(store, model, load_config("demo", [*folder, proposed]).tracking) == []
    assert [target for _, target in run.linked] == [REGISTRY]
