"""Choose unlabelled faces for people to label, and store the choice with its page."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from fer_models.bundles.names import is_bundle
from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import KEPT, open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_bundle, open_stored, stored_model
from fer_models.labelled.faces import FACES_FILE, faces_bytes, parquet_bytes
from fer_models.labels import UNLABELLED
from fer_models.progress import report
from fer_models.selection.candidates import Candidates, read_candidates
from fer_models.selection.config import SelectionConfig
from fer_models.selection.diversity import Rows, choose_diverse
from fer_models.selection.judge import Judgement, features, judge, snapshot_of
from fer_models.selection.judged import judged_pixels
from fer_models.selection.page import PAGE_FILE, label_page
from fer_models.selection.stored import CHOSEN_FILE
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import ModelRef, SelectionRef
from fer_models.storage.store import ArtifactStore

ID_LENGTH = 12
"""Digits of a selection's id at the beginning of its faces' ids."""


@dataclass(frozen=True)
class Selection:
    """A stored selection, and the facts about it."""

    ref: SelectionRef
    facts: dict[str, Any]


def choose_faces(
    store: ArtifactStore,
    paths: Sequence[str],
    model: str = "champion",
    config: SelectionConfig | None = None,
) -> Selection:
    """Choose the faces that a model is least sure of, spread over unlike ones.

    Faces with the pixels of an image that the model's data set contains, in any split, and faces
    that people have labelled already are left out.

    Args:
        store: holds the model, and receives the selection.
        paths: pictures of single faces, folders of them, `s3://` URLs, or stored predictions
            (`predictions:7d`).
        model: its name, see `open_model`.
        config: how many, and by what.

    Raises:
        ConfigError: a setting does not fit the model.
        DataError: a path does not exist, or nothing is left to choose from.
        StoreError: the model is missing or damaged.

    Example:
        selection = choose_faces(store, ["/data/incoming"], config=SelectionConfig(count=50))
        webbrowser.open(selection.ref.page_url)
    """
    config = config or SelectionConfig()
    ref = None if is_bundle(model) else stored_model(store, model)
    opened = open_bundle(model) if ref is None else open_stored(store, ref)
    known = _known_pixels(store, ref, opened)
    candidates = read_candidates(store, paths, opened.image_format, known)
    if not len(candidates):
        raise DataError(
            f"expected unlabelled faces, got none ({candidates.num_known} are known already, "
            f"{len(candidates.skipped)} can't be read); name other pictures"
        )
    report("select", 0, 2, "steps", f"predicting {len(candidates)} faces")
    judged = judge(store, opened, ref, candidates.images, config.by)
    report("select", 1, 2, "steps", "choosing")
    rows = _rows(store, ref, candidates, judged, config)
    selection = _stored(store, opened, candidates, judged, rows, paths)
    report("select", 2, 2, "steps", f"{len(rows)} faces")
    return selection


def _rows(
    store: ArtifactStore,
    ref: ModelRef | None,
    candidates: Candidates,
    judged: Judgement,
    config: SelectionConfig,
) -> Rows:
    """Embeddings are computed of the least sure ones only."""
    order = np.argsort(-judged.uncertainty_N, kind="stable")
    pool = order[: config.count * config.candidates_per_face]
    chosen = choose_diverse(
        judged.uncertainty_N[pool],
        features(store, ref, candidates.images[pool]),
        config.count,
        config.candidates_per_face,
        config.seed,
    )
    rows: Rows = pool[chosen]
    return rows


def _known_pixels(
    store: ArtifactStore, ref: ModelRef | None, model: ExpressionModel
) -> frozenset[str]:
    """Hashes of labelled images of the model's data set, and of faces that people have judged."""
    known = judged_pixels(store, model.image_format)
    if ref is None:
        return known
    try:
        snapshot = open_snapshot(store, snapshot_of(store, ref))
    except StoreError:
        return known
    if recorded_format(snapshot.info) == model.image_format:
        manifest = snapshot.manifest
        is_known = (manifest["label"] != UNLABELLED) | (manifest["status"] != KEPT)
        known |= set(manifest.loc[is_known, "pixel_sha256"])
    return known


def _stored(
    store: ArtifactStore,
    model: ExpressionModel,
    candidates: Candidates,
    judged: Judgement,
    rows: Rows,
    paths: Sequence[str],
) -> Selection:
    files = candidates.image_files(rows.tolist())
    digests = [hashlib.sha256(content).hexdigest() for content in files]
    selection_id = json_key({"model": model.name, "by": judged.by, "faces": digests})
    table = _table(model, candidates, judged, rows, selection_id)
    facts: dict[str, Any] = {
        "selection": selection_id,
        "model": model.name,
        "classes": list(model.classes),
        "image_format": asdict(model.image_format),
        "by": judged.by,
        "temperature": judged.temperature,
        "chosen": len(table),
        "candidates": len(candidates),
        "known": candidates.num_known,
        "copies": candidates.num_copies,
        "skipped": [{"path": one.path, "reason": one.reason} for one in candidates.skipped],
        "paths": list(paths),
    }
    page = label_page(table, candidates.images[rows], model.classes, selection_id)
    ref = store.put(
        SelectionRef,
        selection_id,
        {
            FACES_FILE: faces_bytes(dict(zip(table["face_id"], files, strict=True))),
            CHOSEN_FILE: parquet_bytes(table),
            PAGE_FILE: page.encode(),
        },
        facts,
        page_url=f"{store.artifact_url(SelectionRef, selection_id)}/{PAGE_FILE}",
    )
    return Selection(ref, facts)


def _table(
    model: ExpressionModel,
    candidates: Candidates,
    judged: Judgement,
    rows: Rows,
    selection_id: str,
) -> pd.DataFrame:
    """A row a face: face_id, path, pixel_sha256, uncertainty, suggestion, and p_<class>."""
    probs_NK = judged.probs_NK[rows]
    columns: dict[str, Any] = {
        "face_id": [f"{selection_id[:ID_LENGTH]}/{row:06d}" for row in range(len(rows))],
        "path": [candidates.names[row] for row in rows],
        "pixel_sha256": [candidates.shas[row] for row in rows],
        "uncertainty": judged.uncertainty_N[rows],
        "suggestion": [model.classes[number] for number in probs_NK.argmax(axis=1)],
    }
    columns |= {f"p_{name}": part for name, part in zip(model.classes, probs_NK.T, strict=True)}
    return pd.DataFrame(columns)
