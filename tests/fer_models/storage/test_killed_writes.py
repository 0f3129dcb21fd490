"""A process that is killed before any of its file operations leaves a whole store."""

import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import recall, recall_if_any, remember
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.check import check_store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
FILES = {"weights.safetensors": b"w" * 100_000, "config.json": b"{}"}
_OPERATIONS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"}


def write_and_promote(store: ArtifactStore, name: str) -> None:
    """What a run does with a model: store it, make it the latest one, promote it."""
    model = store.put(ModelRef, f"{name}-1", FILES, {}, name=name)
    remember(store, f"train-{name}", model)
    current = Registry(store).current(CHAMPION)
    if current is None or current.model_id != model.id:
        Registry(store).set(CHAMPION, model.id, reason="better")


def killed_before(operation: int, root: Path, action: Callable[[], None]) -> bool:
    """Do it in a process that SIGKILL ends before an operation on files of `root`; if so, True."""
    with warnings.catch_warnings():
        # Of other packages in this process, such as eventlet of the object store's tests.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        try:
            sys.addaudithook(_killer(operation, str(root)))
            action()
        except BaseException:  # noqa: BLE001 - a child must not go on as pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _killer(left: int, root: str) -> Callable[[str, tuple[object, ...]], None]:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _OPERATIONS and str(arguments[0]).startswith(root):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    return hook


def names(root: Path) -> set[str]:
    """The files that are no temporary ones and no marks of use, relative to the store."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    found = {path.relative_to(root).as_posix() for path in files}
    return {name for name in found if not name.startswith("used/")}


@pytest.mark.parametrize("has_champion", [False, True])
def test_a_kill_before_any_file_operation_loses_nothing(tmp_path: Path, has_champion: bool) -> None:
    before = tmp_path / "before"
    before.mkdir()
    first = ArtifactStore(StoreConfig(url=str(before)))
    if has_champion:
        write_and_promote(first, "old")
    expected = tmp_path / "expected"
    shutil.copytree(before, expected)
    write_and_promote(ArtifactStore(StoreConfig(url=str(expected))), "new")

    kills, was_killed = 0, True
    while was_killed:
        root = tmp_path / f"killed-{kills}"
        shutil.copytree(before, root)
        store = ArtifactStore(StoreConfig(url=str(root)))
        was_killed = killed_before(kills, root, lambda s=store: write_and_promote(s, "new"))
        _check_whole(store, champions={"old-1", "new-1"} if has_champion else {None, "new-1"})
        write_and_promote(store, "new")
        assert recall(store, "train-new", ModelRef).id == "new-1"
        assert names(root) == names(expected)
        kills += was_killed
    assert kills >= 15  # each write opens, renames, and makes folders


def _check_whole(store: ArtifactStore, champions: set[str | None]) -> None:
    checked = check_store(store, deep=True)
    assert not checked.damaged
    assert not checked.lost_aliases
    current = Registry(store).current(CHAMPION)
    assert (current.model_id if current else None) in champions
    latest = recall_if_any(store, "train-new", ModelRef)
    assert latest is None or not store.faults(latest, deep=True)
