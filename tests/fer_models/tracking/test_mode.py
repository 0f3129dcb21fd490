"""Where runs go: the configuration, then WANDB_MODE, then whether there is a key."""

import importlib.util
from pathlib import Path

import pytest

from fer_models.errors import ConfigError
from fer_models.tracking.config import Mode, TrackingConfig
from fer_models.tracking.mode import check_tracking, destination

KEY = "0123456789" * 4


@pytest.mark.parametrize(
    ("mode", "variable", "has_key", "target"),
    [
        ("auto", None, False, "offline"),
        ("auto", None, True, "online"),
        ("auto", "", True, "online"),
        ("auto", "offline", True, "offline"),
        ("auto", "dryrun", True, "offline"),
        ("auto", "disabled", True, "disabled"),
        ("auto", "online", True, "online"),
        ("offline", "online", True, "offline"),
        ("offline", "disabled", True, "offline"),
        ("disabled", "online", True, "disabled"),
        ("online", "offline", True, "online"),
        ("online", "nonsense", True, "online"),
    ],
)
def test_the_precedence(
    monkeypatch: pytest.MonkeyPatch, mode: Mode, variable: str | None, has_key: bool, target: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    if has_key:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    found = destination(TrackingConfig(mode=mode))
    assert found.target == target
    assert not found.problem
    check_tracking(TrackingConfig(mode=mode))


def test_online_without_a_key_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    remedies = ("`wandb login`", "WANDB_API_KEY", "tracking.mode=offline", "api.wandb.ai")
    with pytest.raises(ConfigError) as caught:
        check_tracking(TrackingConfig(mode="online"))
    assert all(text in str(caught.value) for text in ("tracking.mode=online", *remedies))
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(ConfigError, match="WANDB_MODE=online"):
        check_tracking(TrackingConfig())
    assert destination(TrackingConfig()).target == "offline"
    check_tracking(TrackingConfig(mode="offline"))  # the advice works


def test_an_unknown_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    with pytest.raises(ConfigError, match="WANDB_MODE=nonsense: expected online"):
        check_tracking(TrackingConfig())


def test_wandb_offline_is_obeyed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    (home / "work/wandb").mkdir()
    (home / "work/wandb/settings").write_text("[default]\nmode = offline\n")  # `wandb offline`
    assert destination(TrackingConfig()).target == "offline"


def test_without_wandb_runs_are_not_tracked_and_only_a_wish_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert destination(TrackingConfig()).target == "disabled"
    check_tracking(TrackingConfig())
    with pytest.raises(ConfigError, match="wandb is not installed"):
        check_tracking(TrackingConfig(mode="offline"))
