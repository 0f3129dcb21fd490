"""The HTML page of a data gate's results: one file, readable without network."""

import base64
import io
from collections.abc import Mapping, Sequence

from fer_models.data.snapshot import DatasetSnapshot, Images
from validation.checks import CheckResult, num_failed

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data gate: {{ verdict }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --error: #c62828; --warning: #b26a00;
  --passed: #2e7d32; }
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
</style></head><body>
<h1>Data gate <span class="state {{ state }}">{{ verdict }}</span></h1>
<p class="dim">Snapshot <code>{{ snapshot_id }}</code>, {{ "{:,}".format(num_images) }} images:
{{ results | length }} checks, {{ num_errors }} failed as errors, {{ num_warnings }} as
warnings.</p>
{% for topic, rows in topics.items() %}
<h2>{{ topic | replace("_", " ") }}</h2>
<div class="scroll"><table>
<thead><tr><th>Result</th><th>Check</th><th>Expected</th><th>Observed</th></tr></thead><tbody>
{% for row in rows %}
<tr><td><span class="state {{ 'passed' if row.passed else row.severity }}">
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


def render_report(snapshot: DatasetSnapshot, results: Sequence[CheckResult]) -> str:
    """The page: a table a topic, failed checks with their remedy and example images."""
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
            results=results,
            topics=topics,
            state=state,
            verdict={"error": "refused", "warning": "passed with warnings"}.get(state, "passed"),
            num_errors=num_errors,
            num_warnings=num_warnings,
            pictures=_pictures(snapshot, results),
        )
    )
    return page


def _pictures(snapshot: DatasetSnapshot, results: Sequence[CheckResult]) -> Mapping[str, str]:
    """Base64 PNG of every example of a failed check, by image id."""
    wanted = {example for result in results if not result.passed for example in result.examples}
    ids = [str(image_id) for image_id in snapshot.manifest["image_id"]]
    return {
        image_id: _png(snapshot.images, row)
        for row, image_id in enumerate(ids)
        if image_id in wanted
    }


def _png(images: Images, position: int) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(images[position]).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
