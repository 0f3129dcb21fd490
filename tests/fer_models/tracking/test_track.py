import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fer_models.progress import Progress, listening
from fer_models.tracking import background
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.track import track_run


def offline(folder: Path) -> TrackingConfig:
    return TrackingConfig(mode="offline", folder=str(folder / "wandb files"))


def test_disabled_tracking_writes_nothing(tmp_path: Path) -> None:
    config = TrackingConfig(mode="disabled", folder=str(tmp_path / "wandb"))
    with track_run(config, "run", {}) as run:
        run.log({"loss": 1.0}, step=1)
    assert not (tmp_path / "wandb").exists()


def test_wandb_mode_disabled_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    config = TrackingConfig(folder=str(tmp_path / "wandb"))
    with track_run(config, "run", {}) as run:
        run.log({"loss": 1.0}, step=1)
    assert not (tmp_path / "wandb").exists()


def test_offline_runs_write_only_to_the_folder_and_print_nothing(
    tmp_path: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with track_run(offline(tmp_path), "run", {"seed": 1}) as run:
        run.log({"loss": 1.0}, step=1)
        run.log({"loss": 0.5}, step=2)
    assert list((tmp_path / "wandb files").rglob("run-*.wandb"))
    assert list((home / "work").iterdir()) == []
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modes in which runs are started, instead of a start; online ones fail."""
    modes: list[str] = []

    def start(_config: TrackingConfig, mode: str, _facts: object) -> _Sink:
        modes.append(mode)
        if mode == "online":
            raise ConnectionError("no route\n to host")
        return _Sink()

    monkeypatch.setattr(background, "_start", start)
    return modes


def test_online_without_a_key_is_written_offline_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, events = started(monkeypatch), list[Progress]()
    config = TrackingConfig(mode="online", folder=str(tmp_path))
    with listening(events.append), track_run(config, "run", {}) as run:
        run.log({"loss": 1.0}, step=1)
    assert modes == ["offline"]
    [warning] = [event.note for event in events if event.is_warning]
    assert "tracking.mode=online: no key for api.wandb.ai found" in warning
    assert f"run run is written to {tmp_path}" in warning


def test_a_server_that_does_not_answer_makes_the_run_an_offline_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, events = started(monkeypatch), list[Progress]()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    with listening(events.append), track_run(TrackingConfig(folder=str(tmp_path)), "run", {}):
        pass
    assert modes == ["online", "offline"]
    assert next(event.note for event in events) == "wandb online (key of WANDB_API_KEY)"
    [warning] = [event.note for event in events if event.is_warning]
    assert "no route to host" in warning
    assert "`wandb sync`" in warning


class _Sink:
    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, float], int]] = []
        self.exit_codes: list[int] = []

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.logged.append((metrics, step))

    def finish(self, exit_code: int) -> None:
        self.exit_codes.append(exit_code)


def test_everything_logged_arrives_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, all_logged = _Sink(), threading.Event()

    def start_late(*_: object) -> _Sink:
        all_logged.wait()
        return sink

    monkeypatch.setattr(background, "_start", start_late)
    monkeypatch.setattr(background, "_FINISH_TIMEOUT_S", 600.0)
    with track_run(offline(tmp_path), "run", {}) as run:
        for step in range(5):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
        assert sink.logged == []
        all_logged.set()
    assert sink.logged == [({"loss": 1.0 / (step + 1)}, step) for step in range(5)]
    assert sink.exit_codes == [0]


def test_the_confusion_matrix_is_logged(tmp_path: Path) -> None:
    counts = np.array([[3, 1], [0, 2]])
    with track_run(offline(tmp_path), "run", {}) as run:
        run.log({"loss": 1.0}, step=7)
        run.log_confusion(counts, ["angry", "happy"])
    (table,) = (tmp_path / "wandb files").rglob("*.table.json")
    rows = json.loads(table.read_text())["data"]
    assert {(true, predicted): n for true, predicted, n in rows} == {
        ("angry", "angry"): 3,
        ("angry", "happy"): 1,
        ("happy", "angry"): 0,
        ("happy", "happy"): 2,
    }


def test_a_failed_training_is_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = _Sink()
    monkeypatch.setattr(background, "_start", lambda *_: sink)
    with pytest.raises(ValueError, match="boom"), track_run(offline(tmp_path), "run", {}):
        raise ValueError("boom")
    assert sink.exit_codes == [1]


def test_a_folder_that_cannot_be_created_only_logs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wandb files").touch()
    with track_run(offline(tmp_path), "run", {}) as run:
        run.log({"loss": 1.0}, step=1)
    assert "wandb can't track run run" in caplog.text


def test_a_missing_wandb_only_logs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with track_run(offline(tmp_path), "run", {}) as run:
        run.log({"loss": 1.0}, step=1)
    assert "wandb is not installed" in caplog.text
    assert "run run is not tracked" in caplog.text


def test_a_start_that_hangs_does_not_block_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink, release, finished = _Sink(), threading.Event(), threading.Event()

    def hang(*_: object) -> _Sink:
        release.wait()
        finished.set()
        return sink

    monkeypatch.setattr(background, "_start", hang)
    monkeypatch.setattr(background, "_FINISH_TIMEOUT_S", 0.01)
    try:
        with track_run(offline(tmp_path), "run", {}) as run:
            run.log({"loss": 1.0}, step=1)
        # Reached while the start still hangs: it is released only below.
        assert not finished.is_set()
        assert "did not finish run run" in caplog.text
    finally:
        release.set()
