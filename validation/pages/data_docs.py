"""Great Expectations' Data Docs of one evaluation, as a self-contained page.

The content is rendered by Great Expectations from its validation results. Its own page template
loads styles, scripts, fonts and images from the network and contains the time and random ids; this
one has the layout of all pages of ferflow, and is identical for identical results.
"""

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fer_models.plotting.page import page_environment
from validation.observations import is_set_result, set_text
from validation.pages.plain_html import plain

# Blocks that need scripts from the network; tracebacks are among them.
_SCRIPTED_BLOCKS = {"graph", "bootstrap_table", "collapse", "tabs"}
# Additional columns, from the meta data of an expectation.
_COLUMNS = {"Check": "check", "Severity": "severity"}
_DECIMALS = 6

_PACKAGE = "validation.pages"


def render_data_docs(snapshot_id: str, outcomes: Mapping[str, Any]) -> str:
    """Render the page from the validation results of the evaluation.

    Args:
        snapshot_id: id of the validated snapshot.
        outcomes: Great Expectations' validation results by table.
    """
    from great_expectations.render.view.view import DefaultJinjaPageView

    template = DefaultJinjaPageView().env.get_template("table.j2")
    pages = [
        {
            "table": table,
            "evaluated": outcome.statistics["evaluated_expectations"],
            "passed": outcome.statistics["successful_expectations"],
            "failed": outcome.statistics["unsuccessful_expectations"],
            "content": plain(template.render(content_block=_content(outcome))),
        }
        for table, outcome in outcomes.items()
    ]
    page = page_environment(_PACKAGE).get_template("data_docs.html.j2")
    return page.render(snapshot_id=snapshot_id, pages=pages)


def _content(outcome: Any) -> dict[str, Any]:
    """Great Expectations' rendering of one table's expectations, failed ones first."""
    singles = sorted(outcome.results, key=lambda single: bool(single.success))
    return {
        "content_block_type": "table",
        "header_row": ["Status", "Expectation", "Observed Value", *_COLUMNS],
        "table": [_row(single) for single in singles],
        "styling": {"body": {"classes": ["table"]}},
    }


def _row(single: Any) -> list[Any]:
    """The cells of one expectation, with the check's name and severity."""
    from great_expectations.render.renderer.content_block import (
        validation_results_table_content_block as block_renderer,
    )

    record = copy.deepcopy(single)
    meta, kwargs = record.expectation_config.meta, record.expectation_config.kwargs
    if "mostly" in kwargs:
        kwargs["mostly"] = round(kwargs["mostly"], _DECIMALS)
    if is_set_result(record.result):
        # Great Expectations' renderer does not support these results.
        record.result = {"observed_value": set_text(record.result)}
    record.result = _native(record.result)
    renderer: Any = block_renderer.ValidationResultsTableContentBlockRenderer
    with _silent(block_renderer.logger):
        (cells,) = _without_scripts(renderer.render([record]).to_json_dict()["table"])
    return [*cells, *(meta[key] for key in _COLUMNS.values())]


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Suppress the renderer's tracebacks; a detail that can't be rendered is left out."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _native(value: Any) -> Any:
    """The same value with Python numbers; the renderer does not support numpy's."""
    if isinstance(value, dict):
        return {_native(key): _native(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_native(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _without_scripts(block: Any) -> Any:
    """The same blocks, without those that need scripts."""
    if isinstance(block, dict):
        return {key: _without_scripts(value) for key, value in block.items()}
    if isinstance(block, list):
        return [_without_scripts(part) for part in block if not _is_left_out(part)]
    return block


def _is_left_out(block: Any) -> bool:
    return isinstance(block, dict) and block.get("content_block_type") in _SCRIPTED_BLOCKS
