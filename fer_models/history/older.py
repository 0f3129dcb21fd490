"""Runs without a record: their report artifact has the settings, the artifacts and the figures."""

from collections.abc import Collection
from typing import Any

from fer_models.errors import StoreError
from fer_models.evaluation.metrics import wilson_interval
from fer_models.evaluation.results import TEST, VALIDATION
from fer_models.history.build import snapshot_chain
from fer_models.history.reading import infos, read_each
from fer_models.history.record import Headline, RunArtifacts, RunRecord
from fer_models.reporting.report import LINEAGE_FILE
from fer_models.storage.champions import is_champion_alias
from fer_models.storage.refs import EvaluationRef, RunRef, SnapshotRef
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore

_CONFIDENCE = 0.95


def older_runs(
    store: ArtifactStore, recorded: Collection[str | None]
) -> tuple[list[RunRecord], list[str]]:
    """Records of the runs of which there is only a report, the newest first as far as known.

    When a run ended is known only if it set the champion.

    Args:
        store: the store.
        recorded: ids of the reports that have a record.

    Returns:
        The records, and a warning for each report that can't be read.

    Raises:
        StoreError: the store can't be listed.
    """
    ids = [run_id for run_id in store.list_ids(RunRef) if run_id not in recorded]
    if not ids:
        return [], []
    ended = _ends_by_promotion(store)
    found, warnings = read_each(ids, lambda run_id: _record(store, run_id, ended))
    found.sort(key=lambda record: (-(record.ended_s or 0.0), record.id))
    return found, warnings


def _record(store: ArtifactStore, run_id: str, ended: dict[str, float]) -> RunRecord:
    ref = store.ref(RunRef, run_id, report_url="")
    info, lineage = store.info(ref), store.read_json(ref, LINEAGE_FILE)
    try:
        return _from_lineage(store, run_id, info, lineage, ended)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{ref.url}/{LINEAGE_FILE}: expected the lineage of a run, got something without "
            f"{error}; remove the artifact"
        ) from error


def _from_lineage(
    store: ArtifactStore,
    run_id: str,
    info: dict[str, Any],
    lineage: dict[str, Any],
    ended: dict[str, float],
) -> RunRecord:
    config, ids, models = lineage["config"], lineage["artifacts"], lineage["models"]
    named = {model_id.rpartition("-")[0]: model_id for model_id in models}
    ensembles = {name: model for name, model in named.items() if "members" in models[model]}
    promoted = bool(info["promoted"])
    return RunRecord(
        id=run_id,
        name=lineage["name"],
        recipe=lineage["name"],
        flow="run-pipeline",
        data=tuple(config["data"]["sources"]),
        seed=config["seed"],
        ended_s=ended.get(ids["promotion"]),
        state="completed" if promoted else "not-promoted",
        artifacts=RunArtifacts(
            snapshots=_snapshots(store, ids["snapshot"]),
            validation=ids["validation"],
            tuning=ids["tuning"],
            models={name: model for name, model in named.items() if name not in ensembles},
            ensembles=ensembles,
            ensemble=ids["ensemble"],
            evaluations=tuple(ids["evaluations"]),
            promotion=ids["promotion"],
            report=run_id,
        ),
        config=config,
        headline=_headline(store, info, config, ids["evaluations"]),
        promoted=promoted,
        recorded=False,
    )


def _snapshots(store: ArtifactStore, snapshot_id: str) -> dict[str, str]:
    try:
        return snapshot_chain(store, snapshot_id)
    except StoreError:  # removed by hand; the rest of the run is still worth listing
        return {"split": snapshot_id}


def _headline(
    store: ArtifactStore, info: dict[str, Any], config: dict[str, Any], evaluations: list[str]
) -> Headline:
    """With the interval of the evaluation; that of independent images if it was removed."""
    n, accuracy = int(info["n"]), float(info["accuracy"])
    known, _ = infos(store, SnapshotRef, [info["snapshot_id"]])
    counts = known.get(info["snapshot_id"], {}).get("split_counts", {})
    split = TEST if counts.get(TEST) else VALIDATION
    confidence = float(config.get("evaluation", {}).get("confidence", _CONFIDENCE))
    low, high = wilson_interval(round(accuracy * n), n, confidence)
    measured, _ = infos(store, EvaluationRef, evaluations)
    for one in measured.values():
        if one["model_id"] == info["candidate_id"] and split in one:
            low, high = one[split]["low"], one[split]["high"]
    return Headline(
        candidate=info["candidate_id"],
        split=split,
        n=n,
        accuracy=accuracy,
        low=low,
        high=high,
    )


def _ends_by_promotion(store: ArtifactStore) -> dict[str, float]:
    """When each promotion that set the champion was decided."""
    return {
        str(entry.details["decision"]): entry.time_s
        for entry in Registry(store).history()
        if is_champion_alias(entry.alias) and "decision" in entry.details
    }
