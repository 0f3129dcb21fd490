"""Progress and warnings in the log of a task run."""

import logging

import pytest

from fer_models.progress import listening, report, warn
from tasks import listeners
from tasks.listeners import LogListener


def test_every_warning_is_logged_as_one_and_progress_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listeners, "in_task_run", lambda: True)
    monkeypatch.setattr(listeners, "get_run_logger", lambda: logging.getLogger("a run"))
    with caplog.at_level(logging.INFO, "a run"), listening(LogListener()):
        report("train", 1, 9, "epochs")
        report("train", 2, 9, "epochs")
        warn("train", "no votes")
        warn("train", "no server")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [
        ("INFO", "train  1/9 epochs"),
        ("WARNING", "train  no votes"),
        ("WARNING", "train  no server"),
    ]
