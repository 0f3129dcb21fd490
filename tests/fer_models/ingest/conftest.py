"""Fixtures of the ingest tests."""

import time

import pytest

from fer_models.ingest.files import stat_cache


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files that were just written count as old enough to be cached."""
    monkeypatch.setattr(stat_cache, "_now_ns", lambda: time.time_ns() + 10_000_000_000)
