"""Older objects are left out of garbage collections, and only for a while."""

import gc
import weakref

import pytest

from fer_models.ingest.collection import older_objects_frozen


class Node:
    """An object that can be part of a cycle."""

    def __init__(self) -> None:
        self.itself = self


def test_new_cycles_are_collected_and_older_ones_are_not() -> None:
    gc.collect()
    older = Node()
    of_older = weakref.ref(older)
    with older_objects_frozen():
        newer = Node()
        of_newer = weakref.ref(newer)
        del older, newer
        gc.collect()
        assert of_newer() is None
        assert of_older() is not None
    gc.collect()
    assert of_older() is None


def test_nothing_stays_frozen_after_an_error() -> None:
    @older_objects_frozen()
    def broken() -> None:
        raise ValueError(f"{gc.get_freeze_count() > 0}")

    with pytest.raises(ValueError, match="True"):
        broken()
    assert not gc.get_freeze_count()


def test_what_others_have_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        with older_objects_frozen():
            pass
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
