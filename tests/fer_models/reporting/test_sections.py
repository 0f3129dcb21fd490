"""The sections of the page: models, promotion, times, model card."""

from dataclasses import replace
from typing import Any

import pytest

from fer_models.evaluation.results import TEST, CrowdMetrics, Share
from fer_models.reporting.collect import RunFacts
from fer_models.reporting.execution import Execution, StepTime
from fer_models.reporting.gallery import FaceImage
from fer_models.reporting.report import render_page, write_report
from fer_models.reporting.versus import Versus
from fer_models.reporting.view import page_context
from flows.pipeline_config import PipelineConfig
from tests.fer_models.parsed_page import Page
from tests.fer_models.reporting.builders import Shared


@pytest.fixture(scope="module")
def charts(facts: RunFacts) -> dict[str, str]:
    """The charts of the shared run: most of the time that a page takes."""
    drawn: dict[str, str] = page_context(facts)["charts"]
    return drawn


@pytest.fixture(autouse=True)
def _same_charts(charts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_models.reporting.view._charts", lambda _: charts)


def test_every_model_has_the_command_that_makes_its_figures_again(
    shared: Shared, page: "Page"
) -> None:
    store, run, _ = shared
    for evaluation in run.evaluations:
        command = f"ferflow task evaluate --model {evaluation.model_id} --store {store.url}"
        assert command in page.visible_text


def test_figures_without_near_copies_stand_beside_those_of_the_whole_test_split(
    shared: Shared, page: "Page"
) -> None:
    store, run, _ = shared
    by_model = {e.model_id: store.info(e) for e in run.evaluations}
    unique = by_model[run.ensemble.candidate.id]["test_without_near_copies"]
    lead = f"Without near copies of training images: {100 * unique['accuracy']:.1f}"
    assert lead in page.visible_text
    assert f"of {unique['n']} (" in page.visible_text


def criterion(name: str, judged: bool, passed: bool, part_of: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "figure": f"figure of {name}",
        "limit": f"limit of {name}",
        "text": f"text of {name}",
        "judged": judged,
        "passed": passed,
        "part_of": part_of,
    }


def test_the_criteria_of_the_gate_are_a_table(facts: RunFacts) -> None:
    rows = [
        criterion("floor", judged=True, passed=True),
        criterion("slice", judged=True, passed=False),
        criterion("newer", judged=True, passed=False, part_of="worth"),
        criterion("cheap", judged=False, passed=False),
    ]
    decided = replace(facts, decision={**facts.decision, "criteria": rows})
    text = Page(render_page(decided, "run")).visible_text
    for outcome, name in (
        ("✓ passed", "floor"),
        ("✕ failed", "slice"),
        ("not met", "newer one way to worth"),
        ("not judged", "cheap"),
    ):
        short = name.split()[0]
        expected = f"{outcome} {name} figure of {short} limit of {short} text of {short}"
        assert expected in text
    older = Page(render_page(replace(facts, decision={}), "run")).visible_text
    assert "Criteria" not in older


def test_the_champion_before_is_shown_with_the_faces_that_only_one_gets_right(
    facts: RunFacts,
) -> None:
    face = FaceImage("data:image/png;base64,AA==", "happy", "not sad", "face-1")
    versus = Versus("old-123", "old", 90, 3, 60, 10, 15, 5, [face], [face])
    text = Page(render_page(replace(facts, versus=versus), "run")).visible_text
    assert "60 both right 15 only the candidate 5 only the champion 10 both wrong" in text
    assert "on the same 90 test images; 3 more were left out" in text
    assert "unfair" not in text
    unsure = replace(versus, unknown=("old-123 was trained elsewhere",))
    text = Page(render_page(replace(facts, versus=unsure), "run")).visible_text
    assert "The comparison may be unfair: old-123 was trained elsewhere." in text
    gone = replace(facts, versus=Versus("old-123", missing="It is gone."))
    assert "It is gone. old-123" in Page(render_page(gone, "run")).visible_text


def test_date_times_and_cost_are_those_of_the_execution(facts: RunFacts) -> None:
    execution = Execution(
        id="20261128T122009Z-0dbe1c",
        flow="run-pipeline",
        command="ferflow run --recipe 'my recipe'",
        started_s=1795868409.8,
        now_s=1795868517.8,
        host="bench",
        machine={"processor": "EPYC", "cores": 2, "gpus": []},
        steps=(
            StepTime(step="ingest", seconds=4.2, cached=True, ended_s=0, made_by="20261127T"),
            StepTime(step="train-a", seconds=61.0, ended_s=0),
        ),
    )
    page = Page(render_page(replace(facts, execution=execution), "run"))
    text = page.visible_text
    assert "28 November 2026, 12:20 UTC · 1 min 48 s · 2 cores, EPYC" in text
    assert "ferflow run --recipe 'my recipe'" in text
    assert "ingest 4.2 s from the cache, made by 20261127T" in text
    assert "train-a 1 min 1 s executed" in text
    assert "0.06 core-hours (2 cores for 1 min 48 s)" in text
    assert page.unbalanced == []
    assert "Date and times are not known" in Page(render_page(facts, "run")).visible_text


def test_the_execution_is_no_part_of_the_id(shared: Shared) -> None:
    store, run, written = shared
    execution = Execution(id="later", started_s=1.0, now_s=2.0)
    again = write_report(store, PipelineConfig(), *run.parts(), execution)
    assert again == written
    assert store.read_json(again, "lineage.json")["execution"] is None  # of the first one


def test_the_card_of_the_candidate_is_beside_the_page(shared: Shared, page: "Page") -> None:
    store, run, written = shared
    card = store.read_file(written, "MODEL_CARD.md").decode()
    assert run.ensemble.candidate.id in card
    for title in ("Intended Use", "Ethical Considerations", "Training Data"):
        assert f"## {title}" in card
        assert title in page.visible_text


def test_the_votes_of_the_taggers_are_shown(facts: RunFacts) -> None:
    def share(value: float, n: int) -> Share:
        return Share(n=n, value=value, low=value - 0.05, high=value + 0.05)

    crowd = CrowdMetrics(
        n=80, agreement=share(0.61, 78), sure=share(0.72, 50), split=None, oracle=share(0.63, 80)
    )
    row = facts.candidate
    headline = row.headline.model_copy(update={"crowd": crowd})
    splits = {**row.metrics.splits, TEST: headline}
    voted = replace(row, metrics=row.metrics.model_copy(update={"splits": splits}))
    rows = tuple(voted if one is row else one for one in facts.rows)
    text = Page(render_page(replace(facts, rows=rows), "run")).visible_text
    assert "agrees with the majority of the votes 61.0" in text
    assert "n = 78" in text
    assert "accuracy that always answering the majority would have 63.0" in text
    assert "accuracy where they do not" not in text


def test_a_single_model_was_not_chosen_among_others(facts: RunFacts) -> None:
    alone = Page(render_page(replace(facts, rows=(facts.candidate,)), "run")).visible_text
    assert "The only model is the candidate" in alone
    assert "chosen among" not in alone
