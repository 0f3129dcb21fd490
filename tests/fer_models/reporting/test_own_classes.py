"""A report shows the classes of its snapshot, whatever they are."""

from dataclasses import replace

import numpy as np
import pytest

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import Predictions
from fer_models.reporting.collect import RunFacts, RunRefs, collect
from fer_models.reporting.gallery import MAX_SAMPLES, SAMPLES_PER_CLASS, samples_by_class
from fer_models.reporting.model_card.card import model_card
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.reporting.report import render_page
from fer_models.reporting.view import page_context
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.own_classes import (
    LISTS,
    foreign_names,
    own_snapshot,
    probabilities,
    split_metrics,
)
from tests.fer_models.parsed_page import Page
from tests.fer_models.reporting.builders import make_run


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    """The facts of a run on FER2013's classes."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("report"))))
    run = make_run(store, tuned=False, members=("compact_cnn",))
    refs = RunRefs(run.snapshot, run.validation, None, run.evaluations, run.ensemble, run.promotion)
    return collect(store, PipelineConfig(), refs)


@pytest.fixture(params=LISTS, ids=lambda one: str(len(one)))
def classes(request: pytest.FixtureRequest) -> ClassList:
    chosen: ClassList = request.param
    return chosen


def own_facts(store: ArtifactStore, facts: RunFacts, classes: ClassList) -> RunFacts:
    """The same run, but with a snapshot and predictions of other classes."""
    snapshot = open_snapshot(store, own_snapshot(store, classes))
    positions = snapshot.positions("test")
    labels = snapshot.labels(positions)
    probs = probabilities(labels, len(classes))
    scores = split_metrics(classes, labels, probs)
    rows = tuple(
        replace(
            row, metrics=row.metrics.model_copy(update={"splits": {"test": scores}, "slices": ()})
        )
        for row in facts.rows
    )
    predictions = Predictions(positions, labels, probs)
    known = replace(facts.card.facts, classes=classes.names, class_counts={}, metrics=None)
    return replace(
        facts,
        snapshot=snapshot,
        rows=rows,
        predictions=predictions,
        checks=[],
        decision={},
        card=model_card(known, ModelCardConfig()),
    )


def test_the_page_shows_the_classes_of_the_snapshot(
    store: ArtifactStore, facts: RunFacts, classes: ClassList
) -> None:
    html = render_page(own_facts(store, facts, classes), "run")
    page = Page(html.split("Configuration as JSON")[0])
    text = page.visible_text
    assert f"{len(classes)} classes: {', '.join(classes.names)}." in text
    assert text.count("12") >= len(classes)  # kept images of each class
    heads = html[html.index('class="heat') : html.index("</thead>", html.index('class="heat'))]
    assert heads.count("<th>") == len(classes)
    assert (" many" in heads) == (len(classes) > 10)
    words = {word.strip(".,:;()") for word in text.split()}
    assert not words & foreign_names(classes)


def test_the_page_of_fer2013_does_not_list_its_classes(facts: RunFacts) -> None:
    assert "classes: " not in Page(render_page(facts, "run")).visible_text


def test_confusions_carry_the_names_of_the_evaluation(
    store: ArtifactStore, facts: RunFacts, classes: ClassList
) -> None:
    context = page_context(own_facts(store, facts, classes))
    confusion = np.array([[cell.count for cell in cells] for _, _, cells in context["confusion"]])
    assert [name for name, _, _ in context["confusion"]] == list(classes.names)
    for actual, predicted, count, _ in context["confusions"]:
        row, column = classes.names.index(actual), classes.names.index(predicted)
        assert confusion[row, column] == count


def test_many_classes_have_fewer_sample_faces_each(
    store: ArtifactStore, classes: ClassList
) -> None:
    snapshot = open_snapshot(store, own_snapshot(store, classes))
    groups = samples_by_class(snapshot)
    assert [name for name, _ in groups] == list(classes.names)
    assert all(0 < len(faces) <= SAMPLES_PER_CLASS for _, faces in groups)
    assert sum(len(faces) for _, faces in groups) <= MAX_SAMPLES
