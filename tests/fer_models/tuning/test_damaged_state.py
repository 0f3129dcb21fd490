"""Damaged saved states, which Ray itself would fail on or silently skip."""

import json
import pickle
from pathlib import Path

import pytest

from fer_models.tuning.restore import require_readable, restored_tuner


def _trainable(config: dict) -> None: ...


def _write(path: Path, **files: bytes) -> None:
    path.mkdir()
    contents = {
        "tuner.pkl": b"",
        "trainable.pkl": b"",
        "experiment_state-2026.json": json.dumps({"trial_data": []}).encode(),
        **{name.replace("__", "."): content for name, content in files.items()},
    }
    for name, content in contents.items():
        (path / name).write_bytes(content)


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
    ids=["truncated", "empty", "no trial", "callbacks", "tuner", "empty tuner"],
)
def test_a_damaged_state_is_logged_and_ignored(
    files: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _write(tmp_path / "search", **files)
    assert restored_tuner(tmp_path / "search", _trainable) is None
    assert "the search starts over" in caplog.text
    assert str(tmp_path / "search") in caplog.text


def test_a_missing_state_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert restored_tuner(tmp_path / "search", _trainable) is None
    assert caplog.text == ""


def test_pickles_that_ray_names_json_are_readable(tmp_path: Path) -> None:
    pickled = {
        f"{name}-2026__json": pickle.dumps({"done": 1})
        for name in ("search_gen_state", "basic-variant-state")
    }
    path = tmp_path / "search"
    _write(path, **pickled)
    (path / ".5f2c-tmp-searcher-state.pkl").write_bytes(b"\x80\x05half writ")
    (path / "trial_state_1").mkdir()
    require_readable(path)
    (path / "search_gen_state-2026.json").write_bytes(b"\x80\x05half writ")
    with pytest.raises(pickle.UnpicklingError):
        require_readable(path)
