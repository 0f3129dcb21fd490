"""Measure drift: recent images against the training data of a champion."""

from typing import Any

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.drift import measures
from fer_models.drift.config import DriftConfig
from fer_models.drift.evidence import NUM_STEPS, Evidence, gather_evidence
from fer_models.drift.page import PACKAGE, render_page
from fer_models.drift.recent import RecentImages
from fer_models.drift.results import REPORT_FILE, RESULT_FILE, Measure
from fer_models.errors import DataError
from fer_models.evaluation.predictions import read_predictions, selected_model
from fer_models.plotting.page import templates_hash
from fer_models.progress import report
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_bytes, json_key
from fer_models.storage.refs import DriftRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

# The source of this module and of all its imports is part of the id.
_ENTRY = "fer_models.drift.measure"


def measure_drift(
    store: ArtifactStore,
    champion: ModelRef,
    training: SnapshotRef,
    recent: RecentImages,
    config: DriftConfig,
    seed: int,
) -> DriftRef:
    """Compare recent images with the champion's data, and write the figures and a page.

    Image statistics are compared with the training split. Embeddings, predicted classes and
    confidence are compared with the validation split, because a network treats the images that it
    learned from unlike any others. For a champion that is a final fit, the model that it repeats
    is measured: that one has not learned from the validation split.

    The artifact's id hashes all inputs and the source, so measuring the same again returns what is
    stored.

    Args:
        store: holds champion and snapshot, and receives the artifact.
        champion: a network or an ensemble.
        training: the snapshot that it was trained on.
        recent: distinct images, see `read_recent`.
        config: thresholds.
        seed: of the drawn images and of the permutations.

    Raises:
        DataError: the champion was trained on another snapshot, or that has no validation images.
        StoreError: an artifact is missing or damaged.

    Example:
        recent = read_recent(["/data/last-week"])
        drift = measure_drift(store, champion, training, recent, DriftConfig(), seed=0)
        drift.detected, drift.report_url
    """
    drift_id = _drift_id(champion, training, recent, config, seed)
    if store.reuse(_bare_ref(store, drift_id)):
        return drift_ref(store, drift_id)
    snapshot = open_snapshot(store, training)
    measured = selected_model(store, champion)
    validation = read_predictions(store, snapshot, measured)["validation"]
    if not len(validation.labels):
        raise DataError(f"snapshot {training.id} has no validation images; split it first")
    judged = len(recent) >= config.min_images
    evidence = None
    found: list[Measure] = []
    if judged:
        evidence = gather_evidence(
            store, measured, snapshot, validation, recent.images, config, seed
        )
        found = _measures(evidence, config)
    result = _result(champion, snapshot, recent, found, evidence, config)
    report("drift", NUM_STEPS - 1, NUM_STEPS, "steps", "writing the page")
    page = render_page(result, recent.images, recent.names, evidence)
    facts = {
        "champion_id": champion.id,
        "num_images": len(recent),
        "judged": judged,
        "detected": result["detected"],
    }
    store.put(
        DriftRef,
        drift_id,
        {REPORT_FILE: page.encode(), RESULT_FILE: json_bytes(result, sort_keys=False)},
        {**facts, "snapshot_id": training.id},
        **facts,
        report_url=_bare_ref(store, drift_id).report_url,
    )
    return drift_ref(store, drift_id)


def drift_ref(store: ArtifactStore, drift_id: str) -> DriftRef:
    """The reference to a stored drift of which only the id is known.

    Raises:
        StoreError: it is not in the store.
    """
    bare = _bare_ref(store, drift_id)
    info = store.info(bare)
    fields = ("champion_id", "num_images", "judged", "detected")
    return bare.model_copy(update={name: info[name] for name in fields})


def _bare_ref(store: ArtifactStore, drift_id: str) -> DriftRef:
    """A reference with nothing but id and URLs."""
    url = f"{store.artifact_url(DriftRef, drift_id)}/{REPORT_FILE}"
    empty = {"champion_id": "", "num_images": 0, "judged": False, "detected": False}
    return store.ref(DriftRef, drift_id, report_url=url, **empty)


def _drift_id(
    champion: ModelRef,
    training: SnapshotRef,
    recent: RecentImages,
    config: DriftConfig,
    seed: int,
) -> str:
    return json_key(
        {
            "champion": champion.id,
            "snapshot": training.id,
            "recent": list(recent.shas),
            "names": list(recent.names),
            "skipped": [[one.path, one.reason] for one in recent.skipped],
            "copies": recent.num_copies,
            "config": config.model_dump(mode="json"),
            "seed": seed,
            "source": source_hash(_ENTRY),
            "templates": templates_hash(PACKAGE),
        }
    )


def _measures(evidence: Evidence, config: DriftConfig) -> list[Measure]:
    now = evidence.recent_statistics
    return [
        *(
            measures.image_measure(name, values, now[name], config)
            for name, values in evidence.training_statistics.items()
        ),
        evidence.embedding,
        measures.class_measure(
            evidence.validation_probs_MK.argmax(axis=1),
            evidence.recent_probs_NK.argmax(axis=1),
            evidence.classes,
            config,
        ),
        *measures.accuracy_measures(
            evidence.validation_confidence_M,
            evidence.recent_confidence_N,
            evidence.accuracy,
            config,
        ),
    ]


def _result(
    champion: ModelRef,
    snapshot: DatasetSnapshot,
    recent: RecentImages,
    found: list[Measure],
    evidence: Evidence | None,
    config: DriftConfig,
) -> dict[str, Any]:
    """The content of `drift.json`."""
    fired = [measure.name for measure in found if measure.fired]
    known = set(snapshot.manifest["pixel_sha256"].to_numpy()[snapshot.positions("train")])
    return {
        "champion_id": champion.id,
        "snapshot_id": snapshot.ref.id,
        "num_images": len(recent),
        "num_copies": recent.num_copies,
        "num_in_training": sum(sha in known for sha in recent.shas),
        "num_skipped": len(recent.skipped),
        "min_images": config.min_images,
        "judged": evidence is not None,
        "detected": bool(fired),
        "fired": fired,
        "measures": [measure.model_dump(mode="json") for measure in found],
        "temperature": evidence.temperature if evidence else None,
        "validation_accuracy": evidence.accuracy if evidence else None,
        "predicted": _predicted(evidence) if evidence else {},
        "config": config.model_dump(mode="json"),
    }


def _predicted(evidence: Evidence) -> dict[str, dict[str, int]]:
    probabilities = {
        "validation": evidence.validation_probs_MK,
        "recent": evidence.recent_probs_NK,
    }
    return {
        name: measures.counts_of(probs.argmax(axis=1), evidence.classes)
        for name, probs in probabilities.items()
    }
