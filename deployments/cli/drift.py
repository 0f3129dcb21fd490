"""`ferflow drift`: compare recent images with the champion's training data."""

from typing import Any

import click

from deployments.cli.latest import local_report
from deployments.cli.options import (
    DATA_AS_ARGUMENTS,
    config_from,
    picture_options,
    refuse,
    without_effect,
)
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from fer_models.errors import ConfigError
from fer_models.storage.champions import named_champion
from fer_models.storage.store import ArtifactStore

_DRIFT_EXIT_CODE = 3


@click.command(name="drift")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@picture_options
@click.option("--fail", is_flag=True, help="Exit with code 3 if drift is found.")
@click.option(
    "--emit",
    "emit_event",
    is_flag=True,
    help="Send the event ferflow.drift.detected to the Prefect server if drift is found.",
)
@reporting
def command(paths: tuple[str, ...], fail: bool, emit_event: bool, **options: Any) -> Produced:
    """Compare the recent images of PATH... with the champion's training data.

    PATH is a picture, a folder or archive of face crops, or a table of pixels, also in a bucket
    (s3://...); labels are not needed. Without PATH, the recipe's retraining.recent_images are read.
    Prints all measures with their thresholds, and writes a page with figures to the store.

    \b
    ferflow drift /data/last-week
    ferflow drift crops.zip --fail --set retraining.drift.min_images=500
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    refuse(without_effect(["sources"], DATA_AS_ARGUMENTS))
    config = config_from(options)
    wanted = paths or config.retraining.recent_images
    if not wanted:
        raise ConfigError(
            "expected recent images, got none; name pictures, folders, archives or tables, or set "
            "retraining.recent_images in the recipe"
        )
    from fer_models.drift.champion import champion_drift
    from fer_models.drift.results import read_measures

    store = ArtifactStore(config.store)
    with progress_display():
        drift = champion_drift(
            store, wanted, config.retraining.drift, config.seed, named_champion(store)
        )
    measures = read_measures(store, drift)
    fired = [measure.name for measure in measures if measure.fired]
    rows = [[m.name, m.observed, m.threshold, m.outcome] for m in measures]
    if rows:
        print_table("Drift", ["measure", "observed", "threshold", "outcome"], rows)
    verdict = "drift: " + ", ".join(fired) if fired else "no drift"
    if not drift.judged:
        needed = config.retraining.drift.min_images
        verdict = f"not judged: {drift.num_images} of {needed} images"
    report = local_report(store, drift)
    facts = {"champion": drift.champion_id, "images": str(drift.num_images), "verdict": verdict}
    print_facts({**facts, "report": str(report)})
    if emit_event and drift.detected:
        from tasks.events import emit_drift

        emit_drift(drift, fired, during_retrain=False)
    return {
        "drift": drift.id,
        "champion": drift.champion_id,
        "images": drift.num_images,
        "judged": drift.judged,
        "detected": drift.detected,
        "fired": fired,
        "measures": [measure.model_dump(mode="json") for measure in measures],
        "report": drift.report_url,
        "exit_code": _DRIFT_EXIT_CODE if fail and drift.detected else 0,
    }
