"""A state on disk that Ray would stumble over."""

import json
from pathlib import Path

import pytest

from fer_models.tuning.restore import restored_tuner


def _trainable(config: dict) -> None: ...


def _write(place: Path, **files: bytes) -> None:
    place.mkdir()
    contents = {
        "tuner.pkl": b"",
        "trainable.pkl": b"",
        "experiment_state-2026.json": json.dumps({"trial_data": []}).encode(),
        **{name.replace("__", "."): content for name, content in files.items()},
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)


@pytest.mark.parametrize(
    "files",
    [
        {"experiment_state-2026__json": b'{"trial_data": [["{'},
        {"experiment_state-2026__json": b"{}"},
        {"experiment_state-2026__json": b'{"trial_data": [["{}", "{}"]]}'},
        {"callback_states-2026__pkl": b"\x80\x05garbled"},
        {"tuner__pkl": b"\x80\x05garbled"},
        {"tuner__pkl": b""},
    ],
    ids=["cut", "empty", "no trial", "callbacks", "tuner", "empty tuner"],
)
def test_a_damaged_state_is_told_and_left_aside(
    files: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _write(tmp_path / "search", **files)
    assert restored_tuner(tmp_path / "search", _trainable) is None
    assert "starts from the beginning" in caplog.text
    assert str(tmp_path / "search") in caplog.text


def test_without_a_state_there_is_nothing_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert restored_tuner(tmp_path / "search", _trainable) is None
    assert caplog.text == ""
