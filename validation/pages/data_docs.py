"""Great Expectations' Data Docs of one evaluation, as a self-contained page.

The content is rendered by Great Expectations from its validation results. Its own page template
loads styles, scripts, fonts and images from the network and contains the time and random ids; this
one is plain HTML, and identical for identical results.
"""

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from validation.observations import is_set_result, set_text
from validation.pages.plain_html import plain

# Blocks that need scripts from the network; tracebacks are among them.
_SCRIPTED_BLOCKS = {"graph", "bootstrap_table", "collapse", "tabs"}
# Additional columns, from the meta data of an expectation.
_COLUMNS = {"Check": "check", "Severity": "severity"}
_DECIMALS = 6

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data Docs: snapshot {{ snapshot_id[:12] }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: light-dark(#c62828, #ff8a80);
  --good: light-dark(#2e7d32, #81c784); --soft: light-dark(#8881, #8882); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { margin: 2.5rem 0 .5rem; } .dim { opacity: .7; font-size: .9em; }
table { border-collapse: collapse; } th { font-size: .85em; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.table, .overview { width: 100%; } .number { text-align: right; }
.table > thead > tr > th:nth-child(1) { width: 3.5rem; }
.table > thead > tr > th:nth-child(3) { width: 22%; }
.table > thead > tr > th:nth-child(4) { width: 17%; }
.table > thead > tr > th:nth-child(5) { width: 6rem; }
.table-bordered { margin: .5rem 0; font-size: .9em; background: var(--soft); }
h5 { font: 600 1em/1.5 ui-monospace, monospace; margin: 1.2rem 0 .2rem; }
.badge { font: .9em ui-monospace, monospace; background: var(--soft); border-radius: .25rem;
  padding: .05rem .3rem; }
.text-danger { color: var(--bad); } .text-success { color: var(--good); }
.fa-times::before { content: "\\2717  failed"; } .fa-check-circle::before { content: "\\2713"; }
.fa-exclamation-triangle::before { content: "!"; color: var(--bad); }
i { font-style: normal; } label { cursor: pointer; } .scroll { overflow-x: auto; }
body:has(#only:checked) :is(tr:has(> .hide-succeeded-validation-target-child), .all-passed)
  { display: none; }
</style></head><body>
<h1>Data Docs</h1>
<p class="dim">Great Expectations' results for snapshot <code>{{ snapshot_id }}</code>. For remedies
and example images see <a href="../report.html">the report of the data gate</a>.</p>
<table class="overview"><thead><tr><th>Table</th><th class="number">Expectations</th>
<th class="number">Passed</th><th class="number">Failed</th></tr></thead><tbody>
{% for page in pages %}
<tr><td><a href="#{{ page.table }}">{{ page.table }}</a></td>
<td class="number">{{ page.evaluated }}</td><td class="number">{{ page.passed }}</td>
<td class="number{{ ' text-danger' if page.failed }}">{{ page.failed }}</td></tr>
{% endfor %}
</tbody></table>
<p><label><input type="checkbox" id="only"> show only failed expectations</label></p>
{% for page in pages %}
<section{% if not page.failed %} class="all-passed"{% endif %}>
<h2 id="{{ page.table }}">{{ page.table }}</h2>
<div class="scroll">{{ page.content | safe }}</div></section>
{% endfor %}
</body></html>
"""


def render_data_docs(snapshot_id: str, outcomes: Mapping[str, Any]) -> str:
    """Render the page from the validation results of the evaluation.

    Args:
        snapshot_id: id of the validated snapshot.
        outcomes: Great Expectations' validation results by table.
    """
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import Environment

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
    page: str = (
        Environment(autoescape=True)
        .from_string(_TEMPLATE)
        .render(snapshot_id=snapshot_id, pages=pages)
    )
    return page


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
