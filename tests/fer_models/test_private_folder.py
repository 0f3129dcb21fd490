"""Folders whose content is trusted are readable and writable by this user only."""

import os
import stat
from pathlib import Path

import pytest

from fer_models import private_folder
from fer_models.private_folder import make_private


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_new_folders_and_their_new_parents_are_private(tmp_path: Path) -> None:
    before = mode(tmp_path)
    make_private(tmp_path / "cache" / "training")
    assert mode(tmp_path / "cache") == mode(tmp_path / "cache" / "training") == 0o700
    assert mode(tmp_path) == before


def test_an_open_folder_of_this_user_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    make_private(folder)
    assert mode(folder) == 0o700


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = os.getuid()
    monkeypatch.setattr(private_folder.os, "getuid", lambda: me + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private(tmp_path / "cache")
