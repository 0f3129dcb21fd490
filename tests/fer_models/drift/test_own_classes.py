"""Drift is measured and shown for the champion's own classes."""

import numpy as np
import pytest

from fer_models.classes.class_list import ClassList
from fer_models.drift.config import DriftConfig
from fer_models.drift.evidence import Evidence
from fer_models.drift.image_measures import image_statistics
from fer_models.drift.measures import class_measure, counts_of, no_embedding_measure
from fer_models.drift.page import render_page
from tests.fer_models.drift.conftest import draw
from tests.fer_models.own_classes import LISTS, OWN, foreign_names, probabilities


def test_counts_and_the_largest_change_carry_the_names_of_the_classes() -> None:
    before, after = np.array([0, 1, 2, 3] * 50), np.array([3] * 150 + [0, 1, 2] * 10)
    assert counts_of(after, OWN.names) == {"happy": 10, "sad": 10, "bored": 10, "very bored": 150}
    measure = class_measure(before, after, OWN.names, DriftConfig())
    assert measure.fired
    assert "largest change: very bored, 25.0 %" in measure.text


@pytest.mark.parametrize("classes", LISTS, ids=lambda one: str(len(one)))
def test_the_page_shows_the_classes_of_the_champion(classes: ClassList) -> None:
    num_classes = len(classes)
    images = draw(np.arange(30) % 7, 3)
    probs = probabilities(np.arange(120) % num_classes, num_classes)
    confidence, statistics = probs.max(axis=1), image_statistics(images)
    evidence = Evidence(
        training_statistics=statistics,
        recent_statistics=statistics,
        validation_probs_MK=probs,
        recent_probs_NK=probs[:30],
        validation_confidence_M=confidence,
        recent_confidence_N=confidence[:30],
        temperature=1.0,
        accuracy=0.7,
        distances_N=np.arange(30.0),
        embedding=no_embedding_measure("a test", DriftConfig()),
        classes=classes.names,
    )
    counts = counts_of(probs.argmax(axis=1), classes.names)
    result = {
        "champion_id": "c",
        "detected": False,
        "judged": True,
        "num_images": 30,
        "num_copies": 0,
        "num_skipped": 0,
        "num_in_training": 0,
        "min_images": 1,
        "fired": [],
        "measures": [],
        "temperature": 1.0,
        "validation_accuracy": 0.7,
        "predicted": {"validation": counts, "recent": counts},
    }
    page = render_page(result, images, tuple(map(str, range(30))), evidence)
    predicted = {classes.names[number] for number in probs[10:30].argmax(axis=1)}
    assert all(f"<b>{name} " in page for name in predicted)
    assert [name for name in foreign_names(classes) if name in page] == []
