"""The summary's link to the comparison with the run before."""

import pytest

from fer_models.promotion.by_hand import promote_by_hand, roll_back
from fer_models.reporting.collect import RunRefs
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.links import PAGES_VARIABLE
from tasks.summary import summary_text
from tests.fer_models.history.builders import BuiltRun, build_run


def _summary(store: ArtifactStore, built: BuiltRun, run_id: str) -> str:
    trained = built.outcome.trained
    refs = RunRefs(
        trained.prepared.snapshot,
        trained.prepared.validation,
        trained.tuning,
        trained.evaluations,
        trained.ensemble,
        built.outcome.promotion,
    )
    exploration = trained.prepared.exploration
    return summary_text(built.config, refs, exploration, built.outcome.run, store, run_id)


def test_a_run_links_its_comparison_with_the_run_before(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PAGES_VARIABLE, "http://127.0.0.1:4201")
    first = build_run(store, 0, recorded=False, reported=True, name="first")
    assert "Compare with" not in _summary(store, first, "next")
    second = build_run(store, 1, name="second")
    link = f"(http://127.0.0.1:4201/compare/{second.record.id}/next)"
    assert f"- [Compare with the run before, second]{link}" in _summary(store, first, "next")
    assert "Compare with" not in _summary(store, first, "")


def test_a_candidate_that_a_person_made_the_champion_was_not_promoted_by_the_run(
    store: ArtifactStore,
) -> None:
    first = build_run(store, recorded=False)
    promote_by_hand(store, first.models[0], "try", "somebody")
    roll_back(store, "back", "somebody", to=1)
    again = build_run(store, recorded=False, reported=True)
    text = _summary(store, again, "")
    assert "champion already\n\nthe candidate is the champion already (by hand: back)" in text
    assert "promoted to champion" not in text
