"""A promotion that is killed at any point, or overtaken, leaves one champion or the other."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.storage.log import LostRaceError
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model

ROOT = Path(__file__).parents[3]
CONFIG = PromotionConfig()


def test_a_killed_promotion_leaves_the_old_or_the_new_champion(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fer_models.promotion.kill_points", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) > 6
    assert [one["survived"] for one in results] == [*[False] * (len(results) - 1), True]
    old, new = results[0]["after"], results[-1]["after"]
    assert old != new
    changed = [one["after"] == new for one in results]
    assert changed == sorted(changed)
    assert {one["after"] for one in results} == {old, new}
    assert all(one["promoted"] and one["again"] == new for one in results)
    assert {one["entries"] for one in results} == {2}


def test_of_two_racing_candidates_one_is_promoted_and_the_other_knows(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    # Equally good: the one that comes second is not promoted for being better than the first.
    rivals = [build_model(store, snapshot, "rival", 3.0, 2, identity=name) for name in "ab"]
    for round_number in range(10):
        before = len(Registry(store).history())
        start = threading.Barrier(len(rivals))

        def promote(candidate: ModelRef, start: threading.Barrier = start) -> str | None:
            start.wait()
            try:
                promotion = promote_candidate(store, snapshot, candidate, CONFIG)
            except LostRaceError:
                return None
            return candidate.id if promotion.promoted else None

        with ThreadPoolExecutor(len(rivals)) as threads:
            promoted = [one for one in threads.map(promote, rivals) if one]
        added = Registry(store).history()[before:]
        assert [entry.model_id for entry in added] == promoted, round_number
        assert len(promoted) == 1
        Registry(store).set(CHAMPION, champion.id, "start again")


def test_a_store_that_fails_after_the_decision_keeps_the_champion(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = build_model(store, snapshot, "better", 3.0, 2)

    def fail(*_: object) -> bool:
        raise StoreError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "create_bytes", fail)
        with pytest.raises(StoreError, match="went away"):
            promote_candidate(store, snapshot, better, CONFIG)
    entry = Registry(store).current(CHAMPION)
    assert entry is not None
    assert entry.model_id == champion.id
