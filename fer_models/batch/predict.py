"""Predict the new pictures of folders and buckets, and store the predictions in batches."""

import datetime as dt
import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from fer_models.batch.config import PredictionConfig
from fer_models.batch.earlier import TIME_FORMAT
from fer_models.batch.new import new_places
from fer_models.batch.outcome import BatchOutcome
from fer_models.batch.page import REPORT_FILE, render_page
from fer_models.batch.places import Place, check_named, list_places, read_places
from fer_models.batch.tables import BatchTables
from fer_models.bundles.names import is_bundle
from fer_models.dataset.snapshot import Images
from fer_models.faces.settings import FaceSettings
from fer_models.inference.expression_model import ExpressionModel, Probabilities
from fer_models.inference.open_model import open_model, stored_model
from fer_models.inference.pictures.decode import picture_of_bytes
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.lineage import code_revision, package_version
from fer_models.progress import report
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import PredictionsRef
from fer_models.storage.store import ArtifactStore

_CHUNK = 256


def predict_batches(store: ArtifactStore, config: PredictionConfig) -> BatchOutcome:
    """Predict the pictures that no earlier batch in the store has, and store the results.

    A picture is known by its path with size and time (with size and ETag in a bucket): a replaced
    picture is new. One that could not be read is tried again, see `new_places`. Each `batch_size`
    pictures become one artifact, so a run that is killed continues with the pictures that are left.

    Args:
        store: holds the model and earlier batches, and receives new ones.
        config: pictures and model.

    Raises:
        ConfigError: no pictures are named, or `champion` could be several models.
        DataError: a folder or picture does not exist; lists all of them.
        StoreError: the model does not exist, or the store can't be used.

    Example:
        config = PredictionConfig(pictures=("s3://bucket/incoming",))
        outcome = predict_batches(store, config)
        outcome.counts, [batch.url for batch in outcome.batches]
    """
    check_named(config)
    places = list_places(config.pictures)
    name = _name_of(store, config)
    new = new_places(store, name if config.redo else None, places)
    outcome = BatchOutcome(model=name, found=len(places), known=len(places) - len(new))
    report("predict", 0, len(new), "pictures")
    if not new:
        return outcome
    model = open_model(config.model, store)
    batches = []
    counts = dict.fromkeys(model.classes, 0)
    faces = without_face = 0
    for start in range(0, len(new), config.batch_size):
        chunk = new[start : start + config.batch_size]
        tables = _predicted(chunk, model, config, start, len(new))
        batches.append(_stored(store, tables, model, config))
        faces, without_face = faces + len(tables.faces), without_face + tables.unreadable()
        counts = {label: counts[label] + count for label, count in tables.counts().items()}
    found = {"batches": tuple(batches), "faces": faces, "without_face": without_face}
    return outcome.model_copy(update={"model": model.name, "counts": counts, **found})


class _Recorder:
    """Keeps the images that a model receives."""

    def __init__(self, model: ExpressionModel) -> None:
        self._predict = model.predict
        self.images: list[Any] = []

    def __call__(self, images: Images) -> Probabilities:
        self.images += list(images)
        return self._predict(images)


def _predicted(
    places: Sequence[Place],
    model: ExpressionModel,
    config: PredictionConfig,
    done: int,
    total: int,
) -> BatchTables:
    tables = BatchTables(model.classes)
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK]
        _add_chunk(chunk, model, config, tables)
        report("predict", done + start + len(chunk), total, "pictures")
    return tables


def _add_chunk(
    places: Sequence[Place], model: ExpressionModel, config: PredictionConfig, tables: BatchTables
) -> None:
    contents = list(read_places(places))
    readable = [
        picture_of_bytes(place.path, content)
        for place, content in zip(places, contents, strict=True)
        if isinstance(content, bytes)
    ]
    recorder = _Recorder(model)
    recording = replace(model, predict=recorder)
    search = FaceSettings(min_size_px=config.min_face_px)
    found = predict_pictures(readable, recording, config.faces, settings=search)
    predictions = iter(list(found))
    images = iter(recorder.images)
    for place, content in zip(places, contents, strict=True):
        if isinstance(content, str):
            tables.add_picture(place.path, place.state, "", 0, content)
            continue
        predicted = next(predictions)
        sha256 = hashlib.sha256(content).hexdigest()
        tables.add_picture(place.path, place.state, sha256, len(predicted.faces), predicted.reason)
        for number, face in enumerate(predicted.faces):
            tables.add_face(place.path, number, face, next(images))
    assert next(images, None) is None


def _stored(
    store: ArtifactStore, tables: BatchTables, model: ExpressionModel, config: PredictionConfig
) -> PredictionsRef:
    time_s = time.time()
    key = json_key({"model": model.name, "pictures": tables.pictures})
    moment = dt.datetime.fromtimestamp(time_s, tz=dt.UTC)
    # Sortable by time: recent batches are found without reading any.
    batch_id = f"{moment:{TIME_FORMAT}}-{key[:12]}"
    facts = {
        "model": model.name,
        "classes": list(model.classes),
        "image_format": asdict(model.image_format),
        "sources": list(config.pictures),
        "faces": config.faces,
        "min_face_px": config.min_face_px,
        "num_pictures": len(tables.pictures),
        "num_faces": len(tables.faces),
        "without_face": tables.unreadable(),
        "counts": tables.counts(),
        "time_s": time_s,
        "ferflow": package_version("ferflow"),
        "revision": code_revision()["revision"],
    }
    url = f"{store.artifact_url(PredictionsRef, batch_id)}/{REPORT_FILE}"
    return store.put(
        PredictionsRef,
        batch_id,
        {**tables.files(), REPORT_FILE: render_page(facts, tables).encode()},
        facts,
        model_id=model.name,
        num_faces=len(tables.faces),
        report_url=url,
    )


def _name_of(store: ArtifactStore, config: PredictionConfig) -> str:
    """The full name of the model, loaded only if that takes it and the name matters."""
    if not is_bundle(config.model):
        return stored_model(store, config.model).id
    return open_model(config.model).name if config.redo else config.model
