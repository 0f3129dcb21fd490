"""The HTML page of a stored batch."""

import base64
from collections.abc import Mapping
from typing import Any

from fer_models.batch.tables import BatchTables
from fer_models.plotting.page import page_environment

REPORT_FILE = "report.html"
_PACKAGE = "fer_models.batch"
_PAGE = "batch.html.j2"
_MAX_FACES = 30
_MAX_PICTURES = 50


def render_page(facts: Mapping[str, Any], tables: BatchTables) -> str:
    """The self-contained page: faces by label, the least certain faces, pictures without a face.

    Args:
        facts: the metadata of the batch.
        tables: its rows.
    """
    order = sorted(
        range(len(tables.predictions)), key=lambda row: tables.predictions[row]["confidence"]
    )
    faces = [
        {
            "source": "data:image/png;base64,"
            + base64.b64encode(tables.faces[row]["png"]).decode("ascii"),
            "path": tables.predictions[row]["path"],
            "title": f"{tables.predictions[row]['label']} "
            f"{100 * tables.predictions[row]['confidence']:.0f}\u202f%",
        }
        for row in order[:_MAX_FACES]
    ]
    failed = [row for row in tables.pictures if not row["faces"]]
    return (
        page_environment(_PACKAGE)
        .get_template(_PAGE)
        .render(
            facts=facts,
            faces=faces,
            failed=failed[:_MAX_PICTURES],
            num_more=max(0, len(failed) - _MAX_PICTURES),
        )
    )
