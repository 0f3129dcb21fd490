"""The HTML report of the data gate: one file, readable without network access."""

from collections.abc import Mapping, Sequence

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.plotting.embedded import embedded_png
from fer_models.plotting.page import page_environment
from validation.checks import CheckResult, num_failed
from validation.drift.figures import drift_figures
from validation.drift.reference import Comparison

_PACKAGE = "validation.pages"


def render_report(
    snapshot: DatasetSnapshot, results: Sequence[CheckResult], comparison: Comparison | None = None
) -> str:
    """Render the page: one table per topic, failed checks with remedy and example images.

    Args:
        snapshot: the validated snapshot.
        results: the results of all checks.
        comparison: the comparison with the reference, if any, for the drift section.
    """
    num_errors, num_warnings = (num_failed(results, kind) for kind in ("error", "warning"))
    state = "error" if num_errors else "warning" if num_warnings else "passed"
    topics: dict[str, list[CheckResult]] = {}
    for result in results:
        topics.setdefault(result.topic, []).append(result)
    template = page_environment(_PACKAGE).get_template("gate.html.j2")
    return template.render(
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


def _pictures(snapshot: DatasetSnapshot, results: Sequence[CheckResult]) -> Mapping[str, str]:
    """Base64 PNGs of the examples of failed checks, by image id."""
    wanted = {example for result in results if not result.passed for example in result.examples}
    ids = [str(image_id) for image_id in snapshot.manifest["image_id"]]
    return {
        image_id: embedded_png(snapshot.images[row])
        for row, image_id in enumerate(ids)
        if image_id in wanted
    }
