"""Numbering of log entries, and the detection of lost races."""

import pytest

from fer_models.storage import log as log_module
from fer_models.storage.log import EntryLog, LogEntry, LostRaceError
from fer_models.storage.store import ArtifactStore

REMEDY = "append it again"


class Note(LogEntry):
    """An entry with a text."""

    text: str


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_SETTLE_S", 0.01)


def open_log(store: ArtifactStore) -> EntryLog[Note]:
    return EntryLog(store, "notes", Note, "notes")


def append(log: EntryLog[Note], text: str, last_key: str | None) -> Note:
    return log.append(lambda number: Note(number=number, text=text), last_key, REMEDY)


def append_all(log: EntryLog[Note], *texts: str) -> None:
    for text in texts:
        append(log, text, next(reversed(log.entry_keys()), None))


def test_entries_are_numbered_from_one(any_store: ArtifactStore) -> None:
    log = open_log(any_store)
    append_all(log, "a", "b")
    assert log.entry_keys() == ["notes/00000001.json", "notes/00000002.json"]
    assert [(note.number, note.text) for note in log.entries()] == [(1, "a"), (2, "b")]


def test_the_number_follows_the_last_entry_even_after_a_gap(any_store: ArtifactStore) -> None:
    log = open_log(any_store)
    append_all(log, "a", "b", "c", "d")
    for number in (1, 3):
        any_store._backend.remove(f"notes/{number:08d}.json")

    assert append(log, "e", log.entry_keys()[-1]).number == 5

    assert [(note.number, note.text) for note in log.entries()] == [(2, "b"), (4, "d"), (5, "e")]


@pytest.mark.parametrize("seen", [None, "notes/00000001.json", "notes/00000002.json"])
def test_a_newer_entry_than_the_last_one_seen_is_a_lost_race(
    any_store: ArtifactStore, seen: str | None
) -> None:
    log = open_log(any_store)
    append_all(log, "a", "b", "c")
    before = log.entries()

    with pytest.raises(LostRaceError, match=f"written by another run.*{REMEDY}"):
        append(log, "late", seen)

    assert log.entries() == before
