"""Great Expectations' Data Docs of one evaluation, as one page that needs nothing else.

The content is Great Expectations' own rendering of its validation results. Its page around them
loads styles, scripts, fonts and pictures from the network and names the time and random ids; here
the page is plain HTML, the same for the same results.
"""

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from validation.observations import is_about_a_set, observed_set
from validation.pages.plain_html import plain

# Parts that are drawn or opened by scripts from the network; tracebacks are among them.
_LEFT_OUT = {"graph", "bootstrap_table", "collapse", "tabs"}
# Columns that are added, by their place in the meta data of an expectation.
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
body:has(#only:checked) :is(tr:has(> .hide-succeeded-validation-target-child), .all-well)
  { display: none; }
</style></head><body>
<h1>Data Docs</h1>
<p class="dim">What Great Expectations recorded about snapshot <code>{{ snapshot_id }}</code>; with
remedies and example images: <a href="../report.html">the gate's report</a>.</p>
<table class="overview"><thead><tr><th>Table</th><th class="number">Expectations</th>
<th class="number">Met</th><th class="number">Not met</th></tr></thead><tbody>
{% for page in pages %}
<tr><td><a href="#{{ page.table }}">{{ page.table }}</a></td>
<td class="number">{{ page.evaluated }}</td><td class="number">{{ page.met }}</td>
<td class="number{{ ' text-danger' if page.unmet }}">{{ page.unmet }}</td></tr>
{% endfor %}
</tbody></table>
<p><label><input type="checkbox" id="only"> show only what is not met</label></p>
{% for page in pages %}
<section{% if not page.unmet %} class="all-well"{% endif %}>
<h2 id="{{ page.table }}">{{ page.table }}</h2>
<div class="scroll">{{ page.content | safe }}</div></section>
{% endfor %}
</body></html>
"""


def render_data_docs(snapshot_id: str, outcomes: Mapping[str, Any]) -> str:
    """The page, from the very records of the evaluation.

    Args:
        snapshot_id: what was looked at.
        outcomes: by table, Great Expectations' validation result of its suite.
    """
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import Environment

    template = DefaultJinjaPageView().env.get_template("table.j2")
    pages = [
        {
            "table": table,
            "evaluated": outcome.statistics["evaluated_expectations"],
            "met": outcome.statistics["successful_expectations"],
            "unmet": outcome.statistics["unsuccessful_expectations"],
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
    """Great Expectations' rendering of one table's expectations, those not met first."""
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
    if is_about_a_set(record.result):
        # Great Expectations has no words for these of its own, and its renderer stumbles.
        record.result = {"observed_value": observed_set(record.result)}
    record.result = _native(record.result)
    renderer: Any = block_renderer.ValidationResultsTableContentBlockRenderer
    with _silent(block_renderer.logger):
        (cells,) = _without_scripts(renderer.render([record]).to_json_dict()["table"])
    return [*cells, *(meta[key] for key in _COLUMNS.values())]


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Where a detail can't be rendered it is left out; its traceback is of no use to the user."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _native(value: Any) -> Any:
    """The same with plain numbers; the renderer knows none of numpy's."""
    if isinstance(value, dict):
        return {_native(key): _native(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_native(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _without_scripts(block: Any) -> Any:
    """The same blocks, without those that are drawn by scripts."""
    if isinstance(block, dict):
        return {key: _without_scripts(value) for key, value in block.items()}
    if isinstance(block, list):
        return [_without_scripts(part) for part in block if not _is_left_out(part)]
    return block


def _is_left_out(block: Any) -> bool:
    return isinstance(block, dict) and block.get("content_block_type") in _LEFT_OUT
