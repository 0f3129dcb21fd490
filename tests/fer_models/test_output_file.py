"""Files that people name for results."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_models.errors import DataError, FerError
from fer_models.output_file import check_output, made_folders, replacing, write_output


def test_missing_folders_are_made_with_the_file_and_not_before(tmp_path: Path) -> None:
    target = check_output(tmp_path / "a" / "b" / "page.html", (".html",))
    assert not list(tmp_path.iterdir())
    write_output(target, "grün")
    assert target.read_bytes() == "grün".encode()
    assert [path.name for path in target.parent.iterdir()] == ["page.html"]


def _fail(write: Callable[[], object]) -> None:
    write()
    raise KeyError


def test_an_error_leaves_neither_the_file_nor_the_folders(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyError), replacing(tmp_path / "kept" / "new" / "deep" / "a") as temporary:
        _fail(lambda: temporary.write_text("half"))
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_what_others_wrote_into_a_new_folder_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyError), made_folders(tmp_path / "new" / "deep" / "a"):
        _fail((tmp_path / "new" / "other").touch)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["other"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with (
        pytest.raises(FerError, match=r"a\.txt: can't write the file \(No space"),
        replacing(target),
    ):
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("file/deep/a.html", "file is a file, not a folder"),
        ("a.txt", "does not end with .html or .htm"),
        ("a", "does not end with"),
        (".", "it is a folder"),
        ("file/a.txt", "does not end with .html or .htm and .*file is a file"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=problem):
        check_output(tmp_path / name, (".html", ".htm"))


def test_capital_letters_are_the_same_ending(tmp_path: Path) -> None:
    assert check_output(tmp_path / "A.HTML", (".html",)).name == "A.HTML"


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match="may not write to"):
        check_output(tmp_path / "new" / "a.txt")
