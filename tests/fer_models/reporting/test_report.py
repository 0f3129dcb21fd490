"""The report page: complete, self-contained, escaped and reproducible."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation
from fer_models.labels import CLASS_NAMES
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.reporting.view import interval, percent
from fer_models.storage.config import StoreConfig
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.builders import build_model, build_snapshot, build_validation
from tests.fer_models.parsed_page import Page
from tests.fer_models.reporting.builders import MEMBERS, Run, Shared, make_run


def test_page_is_well_formed(page: "Page") -> None:
    assert page.unbalanced == []
    assert page.open == []


def test_page_needs_no_network_and_no_script(shared: Shared, page: "Page") -> None:
    store, _, written = shared
    assert written.report_url == f"{written.url}/report.html"
    addresses = [
        attrs[name]
        for _, attrs in page.tags
        for name in ("src", "href", "xlink:href")
        if name in attrs
    ]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    html = store.read_file(written, "report.html").decode()
    assert "<script" not in html
    assert not re.search(r"url\((?!#)|@import", html)


def test_ids_on_the_page_are_unique_and_links_resolve(page: "Page") -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for _, a in page.tags if a.get("href", "").startswith("#")}
    links |= {a["xlink:href"][1:] for _, a in page.tags if "xlink:href" in a}
    assert links <= set(ids)


def test_page_names_models_verdict_and_figures(shared: Shared, page: "Page") -> None:
    store, run, _ = shared
    for name in (*MEMBERS, "ensemble-soft_vote", "ensemble-weighted", *CLASS_NAMES):
        assert name in page.visible_text
    assert f"{run.ensemble.candidate.name} is the champion" in page.visible_text
    by_model = {e.model_id: store.info(e) for e in run.evaluations}
    test = by_model[run.ensemble.candidate.id]["test"]
    lead = f"It classifies {100 * test['accuracy']:.1f} % of {test['n']} test faces correctly"
    assert lead in page.visible_text
    assert f"n = {test['n']}" in page.visible_text


def test_an_accuracy_has_one_interval_on_the_whole_page(shared: Shared, page: "Page") -> None:
    store, run, _ = shared
    by_id = {one.model_id: read_evaluation(store, one) for one in run.evaluations}
    for candidate in store.read_json(run.ensemble, "ensemble.json")["candidates"]:
        if candidate["method"] is None:
            scores = by_id[candidate["model_id"]].splits["validation"]
            crossed = candidate["cross_validated"]["accuracy"]
            assert crossed["value"] == pytest.approx(scores.accuracy, abs=1e-6)
            ends = (crossed["low"], crossed["high"])
            assert ends == pytest.approx(scores.intervals["accuracy"], abs=1e-6)
            shown = f"{percent(scores.accuracy)} {interval(scores)}".replace("\u202f", " ")
            assert f"{candidate['name']} member {shown}" in page.visible_text
    assert "Below each accuracy: its 95 % confidence interval. Models" in page.visible_text


def test_page_names_the_levels_of_intervals_if_they_differ(shared: Shared) -> None:
    store, run, _ = shared
    config = PipelineConfig(evaluation=EvaluationConfig(confidence=0.9))
    page = Page(store.read_file(run.write(store, config), "report.html").decode())
    expected = "its 90 % confidence interval (cross-validated: 95 %). Models"
    assert expected in page.visible_text


def test_charts_take_their_colours_from_the_page(page: "Page") -> None:
    charts = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(charts) == 11
    assert all(attrs["aria-label"] for attrs in charts)
    assert {attrs["class"] for attrs in charts} == {"wide", "half"}
    styles = " ".join(attrs.get("style", "") for _, attrs in page.tags)
    assert "var(--c0)" in styles
    assert "#0102" not in styles


def test_images_have_alternative_text(page: "Page") -> None:
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) > 80
    assert all(attrs["alt"].strip(", ") for attrs in images)


def test_page_explains_what_a_member_is(page: "Page") -> None:
    assert "A member is one trained network." in page.visible_text


def test_planted_defects_are_scored(page: "Page") -> None:
    assert "Detection of planted defects" in page.visible_text
    assert re.search(r"blank 3 3 100", page.visible_text)
    assert re.search(r"leak 3 3 100", page.visible_text)


def test_the_same_run_gives_the_same_page_in_another_store(shared: Shared, tmp_path: Path) -> None:
    store, _, written = shared
    html = store.read_file(written, "report.html").decode()
    other = ArtifactStore(StoreConfig(url=str(tmp_path / "elsewhere")))
    again = make_run(other, with_truth=True).write(other)
    assert again.id == written.id
    elsewhere = other.read_file(again, "report.html").decode()
    assert elsewhere.replace(other.url, store.url) == html


def test_writing_a_report_twice_gives_one_artifact(shared: Shared) -> None:
    store, run, written = shared
    assert run.write(store) == written
    assert run.write(store, PipelineConfig(name="other")).id != written.id


def test_lineage_names_config_artifacts_and_models(shared: Shared) -> None:
    store, run, written = shared
    lineage = store.read_json(written, "lineage.json")
    assert lineage["config"] == json.loads(PipelineConfig().model_dump_json())
    assert lineage["artifacts"]["snapshot"] == run.snapshot.id
    assert run.ensemble.candidate.id in lineage["models"]
    assert {m["dataset_sha"] for m in lineage["models"].values()} == {run.snapshot.id}


def test_page_warns_when_there_is_no_test_split(store: ArtifactStore) -> None:
    run = make_run(store, fractions=(0.7, 0.3, 0.0))
    page = Page(store.read_file(run.write(store), "report.html").decode())
    assert "There is no test split" in page.visible_text
    assert "optimistic" in page.visible_text
    assert "validation faces" in page.visible_text


def test_page_states_when_tuning_and_quarantine_are_absent(store: ArtifactStore) -> None:
    run = make_run(store, tuned=False, members=("only",), num_quarantined=0, num_leaks=0)
    page = Page(store.read_file(run.write(store), "report.html").decode())
    assert "This run did not include a hyper-parameter search" in page.visible_text
    assert "No image was quarantined" in page.visible_text
    assert "planted defects" not in page.visible_text


def test_a_rejected_candidate_and_failed_checks_are_shown(store: ArtifactStore) -> None:
    run = make_run(store, failed=2)
    strict = PromotionConfig(min_accuracy=1.0)
    other = build_model(store, run.snapshot, "late", 0.5, 77)
    ensemble = ensemble_models(store, run.snapshot, [other], EnsembleConfig())
    promotion = promote_candidate(store, run.snapshot, other, strict)
    late = replace(run, ensemble=ensemble, promotion=promotion, evaluations=())
    page = Page(store.read_file(late.write(store), "report.html").decode())
    assert "late was not promoted" in page.visible_text
    assert "below min_accuracy 1" in page.visible_text
    assert page.visible_text.count("✕ error") == 2
    assert page.visible_text.count("! warning") == 1


def test_a_candidate_that_a_person_made_the_champion_was_not_judged(store: ArtifactStore) -> None:
    run = make_run(store)
    champion = run.ensemble.candidate
    Registry(store).set(CHAMPION, champion.id, "back")
    strict = PromotionConfig(min_accuracy=1.0)
    promotion = promote_candidate(store, run.snapshot, champion, strict)
    report = replace(run, promotion=promotion).write(store)
    assert store.info(report)["verdict"] == "champion already"
    page = Page(store.read_file(report, "report.html").decode())
    assert f"{champion.name} is the champion already" in page.visible_text
    assert "✓ champion already" in page.visible_text
    reason = "The candidate is the champion already (by hand: back); criteria not judged."
    assert reason in page.visible_text
    assert "promoted" not in page.visible_text


def test_user_text_is_escaped(store: ArtifactStore) -> None:
    run = make_run(store, members=("a<b>&$x$",))
    config = PipelineConfig(name="<script>alert(1)</script>")
    html = store.read_file(run.write(store, config), "report.html").decode()
    assert "<script" not in html
    assert "<b>&$" not in html
    assert "a&lt;b&gt;&amp;$x$" in html
    assert Page(html).unbalanced == []


def test_a_perfect_model_has_no_errors_to_show(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    perfect = build_model(store, snapshot, "perfect", 60.0)
    ensemble = ensemble_models(store, snapshot, [perfect], EnsembleConfig())
    run = Run(
        snapshot,
        build_validation(store, snapshot),
        None,
        (),
        ensemble,
        promote_candidate(store, snapshot, perfect, PromotionConfig()),
    )
    page = Page(store.read_file(run.write(store), "report.html").decode())
    assert "every test image was classified correctly" in page.visible_text


def test_artifacts_of_another_snapshot_are_rejected(store: ArtifactStore) -> None:
    run = make_run(store)
    other = build_snapshot(store, seed=8)
    stray = evaluate_model(store, other, build_model(store, other), EvaluationConfig())
    with pytest.raises(DataError) as caught:
        replace(run, evaluations=(*run.evaluations, stray)).write(store)
    assert len(caught.value.problems) == 1
    assert other.id in str(caught.value)
