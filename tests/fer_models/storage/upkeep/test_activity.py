"""Runs and collections keep out of each other's way."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from fer_models.errors import StoreError
from fer_models.processes import process_tag
from fer_models.progress import Progress, listening
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep import activity
from fer_models.storage.upkeep.activity import CollectionLock, earliest_start, running_in
from fer_models.storage.upkeep.usage import LOCK_KEY


def _model(store: ArtifactStore) -> ModelRef:
    return store.put(ModelRef, "model-01", {"weights": b"12"}, {}, name="m")


def _tag_of_dead_process() -> str:
    code = "from fer_models.processes import process_tag; print(process_tag())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_run_waits_for_the_collection_and_looks_again(store: ArtifactStore) -> None:
    model = _model(store)
    waiting, answers = threading.Event(), []

    def take() -> None:
        def note(progress: Progress) -> None:
            assert "waits for the end of a collection" in progress.note
            waiting.set()

        with listening(note):
            answers.append(store.reuse(model))

    with CollectionLock(store.backend):
        thread = threading.Thread(target=take)
        thread.start()
        assert waiting.wait(60)
        assert not answers
        store.forget(model)
    thread.join(60)
    assert answers == [False]
    assert not store.has(LOCK_KEY)


def test_only_one_collection_runs(store: ArtifactStore) -> None:
    with CollectionLock(store.backend):
        with pytest.raises(StoreError, match="another collection is running"):
            CollectionLock(store.backend).__enter__()
        assert store.has(LOCK_KEY)
    with CollectionLock(store.backend):
        pass


def test_the_lock_of_a_killed_collection_is_taken_over(store: ArtifactStore) -> None:
    dead = {"process": _tag_of_dead_process(), "nonce": "its"}
    store.write_bytes(LOCK_KEY, json.dumps(dead).encode())
    assert store.reuse(_model(store))  # does not wait for it
    with CollectionLock(store.backend):
        pass
    elsewhere = {"process": "process:another-host:1:1", "nonce": "its"}
    store.write_bytes(LOCK_KEY, json.dumps(elsewhere).encode())
    with pytest.raises(StoreError, match="try again in 2 minutes"):
        CollectionLock(store.backend).__enter__()
    then_s = time.time() - 121
    os.utime(store.local_root / LOCK_KEY, (then_s, then_s))
    with CollectionLock(store.backend):
        pass


def test_a_collection_that_lost_its_lock_stops(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_RENEW_EVERY_S", 0.0)
    with CollectionLock(store.backend) as lock:
        lock.renew()
        content = json.dumps({"process": process_tag(), "nonce": "another"}).encode()
        store.write_bytes(LOCK_KEY, content)
        with pytest.raises(StoreError, match="nothing more is deleted"):
            lock.renew()
    assert store.read_bytes(LOCK_KEY) == content


def test_a_run_is_marked_while_it_runs(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_BEAT_EVERY_S", 0.05)
    now_s = time.time() + 10
    assert earliest_start(store.backend, now_s) == now_s
    with running_in(store, "run-1"):
        began_s = store.backend.listing("running")["running/run-1/start"].modified_s
        assert earliest_start(store.backend, now_s) <= began_s
        beat = store.local_root / "running" / "run-1" / "beat"
        os.utime(beat, (1, 1))
        until_s = time.monotonic() + 60
        while beat.stat().st_mtime == 1:
            assert time.monotonic() < until_s
            time.sleep(0.02)
    assert store.list_keys("running") == []


def test_a_deleted_store_is_not_begun_anew_by_the_mark(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "_BEAT_EVERY_S", 0.02)
    with running_in(store, "run-1"):
        store.remove_folder("")
        time.sleep(0.3)
        assert not store.local_root.exists()


def test_the_mark_of_a_dead_process_does_not_count(store: ArtifactStore) -> None:
    store.write_bytes("running/run-1/start", _tag_of_dead_process().encode())
    store.write_bytes("running/run-1/beat", b"")
    now_s = time.time() + 10
    assert earliest_start(store.backend, now_s) == now_s
