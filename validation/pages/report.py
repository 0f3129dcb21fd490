"""The HTML report of the data gate: one file, readable without network access."""

from collections.abc import Mapping, Sequence

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.plotting.embedded import embedded_png
from validation.checks import CheckResult, num_failed
from validation.drift.figures import drift_figures
from validation.drift.reference import Comparison

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data gate: {{ verdict }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --error: #c62828; --warning: #b26a00;
  --passed: #2e7d32; --then: light-dark(#8a8f98, #9aa0a8); --now: light-dark(#0072b2, #56b4e9); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { margin-bottom: .2rem; }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize; }
code { font-size: .85em; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; min-width: 46rem; }
th:nth-child(1) { width: 5.5rem; } th:nth-child(2) { width: 14rem; } th:nth-child(3) { width: 30%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: .85em; }
.state { color: #fff; border-radius: .3rem; padding: .1rem .5rem; font-size: .8em;
  white-space: nowrap; }
.error { background: var(--error); } .warning { background: var(--warning); }
.passed { background: var(--passed); }
.remedy, .dim { opacity: .7; font-size: .9em; }
figure { display: inline-block; margin: .3rem .5rem 0 0; width: 64px; vertical-align: top; }
figure img { width: 64px; height: 64px; image-rendering: pixelated; border-radius: .2rem; }
figcaption { font: 10px/1.2 ui-monospace, monospace; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.failed { list-style: none; padding: 0; } .failed li { margin: .25rem 0; }
.failed .state { display: inline-block; min-width: 3.6rem; text-align: center; }
.drift { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem;
  margin: .8rem 0 1.2rem; }
.drift h3 { font-size: .9em; margin: 0 0 .4rem; }
.bars { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr 7.5rem;
  gap: .3rem .6rem; font-size: .85em; align-items: center; }
.bars i { display: block; height: .45rem; border-radius: .15rem; margin: 1px 0; }
.then { background: var(--then); } .now { background: var(--now); }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem;
  vertical-align: -.1rem; margin: 0 .2rem 0 .8rem; }
svg { width: 100%; height: auto; overflow: visible; }
polyline { fill: none; stroke-width: 1.8; vector-effect: non-scaling-stroke; }
svg line { stroke: var(--line); } svg text { font-size: 12px; fill: currentColor; opacity: .7; }
</style></head><body>
<h1>Data gate <span class="state {{ state }}">{{ verdict }}</span></h1>
<p class="dim">Snapshot <code>{{ snapshot_id }}</code>, {{ "{:,}".format(num_images) }} images:
{{ results | length }} checks, {{ num_errors }} failed as errors, {{ num_warnings }} as
warnings. Great Expectations' own results: <a href="data_docs/index.html">Data Docs</a>.</p>
{% if classes %}<p class="dim">{{ classes | length }} classes: {{ classes | join(", ") }}.</p>
{% endif -%}
{% if failed %}
<ul class="failed">{% for row in failed %}
<li><span class="state {{ row.severity }}">{{ row.severity }}</span>
<a href="#{{ row.check }}">{{ row.check }}</a>: {{ row.observed }}</li>{% endfor %}
</ul>
{% endif %}
{% for topic, rows in topics.items() %}
<h2>{{ topic | replace("_", " ") }}</h2>
{% if topic == "drift" and drift %}
<p class="dim">Compared with the reference <code>{{ drift.reference_id }}</code>:
<span class="key then"></span>reference ({{ "{:,}".format(drift.num_before) }} images)
<span class="key now"></span>this snapshot ({{ "{:,}".format(drift.num_after) }})</p>
<div class="drift">
<div><h3>share of the labelled images</h3><div class="bars">
{% for bar in drift.classes %}<span>{{ bar.name }}</span>
<span><i class="then" style="width:{{ "%.1f" | format(100 * bar.before_length) }}%"></i>
<i class="now" style="width:{{ "%.1f" | format(100 * bar.after_length) }}%"></i></span>
<span>{{ "%.3f" | format(bar.before) }} → {{ "%.3f" | format(bar.after) }}</span>
{% endfor %}</div></div>
{% for outline in drift.outlines %}
<div><h3>{{ outline.title }}</h3>
<svg viewBox="0 0 520 140" role="img" aria-label="{{ outline.title }}, reference and this snapshot">
<line x1="0" y1="120" x2="520" y2="120"/>
<polyline points="{{ outline.before }}" style="stroke:var(--then)"/>
<polyline points="{{ outline.after }}" style="stroke:var(--now)"/>
<text x="0" y="136">0</text>
<text x="520" y="136" text-anchor="end">{{ "%g" | format(outline.highest) }}</text></svg></div>
{% endfor %}
</div>
{% endif %}
<div class="scroll"><table>
<thead><tr><th>Result</th><th>Check</th><th>Expected</th><th>Observed</th></tr></thead><tbody>
{% for row in rows %}
<tr id="{{ row.check }}"><td><span class="state {{ 'passed' if row.passed else row.severity }}">
{{ 'passed' if row.passed else row.severity }}</span></td>
<td><code>{{ row.check }}</code></td><td>{{ row.expected }}</td>
<td>{{ row.observed }}{% if not row.passed %}
<div class="remedy">{{ row.remedy }}</div>
{% for example in row.examples %}<figure>{% if pictures.get(example) %}
<img src="data:image/png;base64,{{ pictures[example] }}" alt="">{% endif %}
<figcaption>{{ example }}</figcaption></figure>{% endfor %}{% endif %}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
</body></html>
"""


def render_report(
    snapshot: DatasetSnapshot, results: Sequence[CheckResult], comparison: Comparison | None = None
) -> str:
    """Render the page: one table per topic, failed checks with remedy and example images.

    Args:
        snapshot: the validated snapshot.
        results: the results of all checks.
        comparison: the comparison with the reference, if any, for the drift section.
    """
    from jinja2 import Environment

    num_errors, num_warnings = (num_failed(results, kind) for kind in ("error", "warning"))
    state = "error" if num_errors else "warning" if num_warnings else "passed"
    topics: dict[str, list[CheckResult]] = {}
    for result in results:
        topics.setdefault(result.topic, []).append(result)
    page: str = (
        Environment(autoescape=True)
        .from_string(_TEMPLATE)
        .render(
            snapshot_id=snapshot.ref.id,
            num_images=len(snapshot.manifest),
            classes=() if snapshot.classes.is_fer2013 else snapshot.classes.names,
            results=results,
            topics=topics,
            state=state,
            verdict={"error": "rejected", "warning": "passed with warnings"}.get(state, "passed"),
            num_errors=num_errors,
            num_warnings=num_warnings,
            failed=sorted(
                (result for result in results if not result.passed),
                key=lambda result: result.severity,
            ),
            pictures=_pictures(snapshot, results),
            drift=drift_figures(comparison) if comparison else None,
        )
    )
    return page


def _pictures(snapshot: DatasetSnapshot, results: Sequence[CheckResult]) -> Mapping[str, str]:
    """Base64 PNGs of the examples of failed checks, by image id."""
    wanted = {example for result in results if not result.passed for example in result.examples}
    ids = [str(image_id) for image_id in snapshot.manifest["image_id"]]
    return {
        image_id: embedded_png(snapshot.images[row])
        for row, image_id in enumerate(ids)
        if image_id in wanted
    }
