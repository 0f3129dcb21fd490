"""The HTML page of a drift measurement.

N recent images.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_models.dataset.snapshot import Images
from fer_models.drift import charts
from fer_models.drift.evidence import Evidence
from fer_models.drift.image_measures import STATISTICS
from fer_models.plotting.embedded import embedded_png
from fer_models.plotting.page import page_environment

PACKAGE = "fer_models.drift"
NUM_FURTHEST = 20
_PAGE = "drift.html.j2"


def render_page(
    result: Mapping[str, Any], recent_N: Images, names_N: tuple[str, ...], evidence: Evidence | None
) -> str:
    """The self-contained HTML page.

    Args:
        result: the content of `drift.json`.
        recent_N: the recent images, uint8 N x 48 x 48.
        names_N: their names.
        evidence: None if there were too few images to judge by.
    """
    environment = page_environment(PACKAGE)
    environment.filters["number"] = lambda value: f"{value:,}"
    figures = {} if evidence is None else _figures(result, evidence)
    faces = [] if evidence is None else _furthest(recent_N, names_N, evidence)
    return environment.get_template(_PAGE).render(
        result=result, figures=figures, faces=faces, statistics=STATISTICS
    )


def _figures(result: Mapping[str, Any], evidence: Evidence) -> dict[str, str]:
    predicted = result["predicted"]
    return {
        "statistics": charts.statistics_chart(
            evidence.training_statistics, evidence.recent_statistics
        ),
        "classes": charts.class_chart(predicted["validation"], predicted["recent"]),
        "confidence": charts.confidence_chart(
            evidence.validation_confidence_M, evidence.recent_confidence_N, len(evidence.classes)
        ),
    }


def _furthest(images: Images, names: tuple[str, ...], evidence: Evidence) -> list[dict[str, str]]:
    """The recent images that are furthest from the held-out ones, the furthest first."""
    order = np.argsort(-evidence.distances_N, kind="stable")[:NUM_FURTHEST]
    predicted = evidence.recent_probs_NK.argmax(axis=1)
    return [
        {
            "source": f"data:image/png;base64,{embedded_png(images[row])}",
            "title": f"{evidence.classes[predicted[row]]} "
            f"{100 * evidence.recent_confidence_N[row]:.0f}\u202f%",
            "note": f"distance {evidence.distances_N[row]:.1f}",
            "name": names[row],
        }
        for row in order
    ]
