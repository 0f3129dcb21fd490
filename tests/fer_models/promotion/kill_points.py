"""Promotes a model in processes that are killed, one at every change of the store.

    python -m tests.fer_models.promotion.kill_points FOLDER

prints the champion after each of them, and after another try, as a JSON list. One interpreter forks
them all: importing the library takes longer than a promotion.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot

MAX_CHANGES = 60


def main(folder: Path) -> None:
    """Kill at the first change, at the second, and so on until a promotion ends unharmed."""
    prepared = ArtifactStore(StoreConfig(url=str(folder / "prepared")))
    snapshot = build_snapshot(prepared, 560)
    champion = build_model(prepared, snapshot, "champion", 2.0, 1)
    assert promote_candidate(prepared, snapshot, champion, PromotionConfig()).promoted
    candidate = build_model(prepared, snapshot, "better", 3.0, 2)
    results = []
    for change in range(2 * MAX_CHANGES):
        shutil.copytree(folder / "prepared", folder / str(change))
        store = ArtifactStore(StoreConfig(url=str(folder / str(change))))
        survived = _promote_in_child(store, snapshot, candidate, change)
        killed = _champion(store)
        promoted = promote_candidate(store, snapshot, candidate, PromotionConfig()).promoted
        results.append(
            {
                "survived": survived,
                "after": killed,
                "promoted": promoted,
                "again": _champion(store),
                "entries": len(Registry(store).history()),
            }
        )
        if survived:
            break
    print(json.dumps(results))


def _champion(store: ArtifactStore) -> str:
    entry = Registry(ArtifactStore(store.config)).current(CHAMPION)
    assert entry is not None
    return entry.model_id


def _promote_in_child(
    store: ArtifactStore, snapshot: SnapshotRef, candidate: ModelRef, change: int
) -> bool:
    child = os.fork()
    if child == 0:
        _kill_at(change)
        promote_candidate(store, snapshot, candidate, PromotionConfig())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGKILL
    return os.WIFEXITED(status)


def _kill_at(change: int) -> None:
    """Die at a change of the file system: in the middle of a write, before any other one."""
    left = [change]

    def countdown(function: Callable[..., Any], half: Callable[..., Any] | None) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                if half is not None:
                    half(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*args, **kwargs)

        return counted

    def half_written(path: Path, data: bytes) -> None:
        with path.open("wb") as stream:
            stream.write(data[: len(data) // 2])

    write = Path.write_bytes
    Path.write_bytes = countdown(write, half_written)  # type: ignore[method-assign]
    Path.replace = countdown(Path.replace, None)  # type: ignore[method-assign]
    Path.unlink = countdown(Path.unlink, None)  # type: ignore[method-assign]
    os.link = countdown(os.link, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
