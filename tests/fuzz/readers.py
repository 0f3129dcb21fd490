"""Every reader of files from outside, with a valid file to start from."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_models.bundles.facts import read_facts
from fer_models.errors import DataError
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.review.decisions_file import COLUMNS, decode_decisions
from fer_models.selection.label_studio.annotations import read_annotations
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ARTIFACT_FILE, ArtifactStore
from flows.recipes.built_in import recipe_path
from flows.recipes.load import load_config
from tests.fer_models.ingest.builders import VOTE_NAMES, fer2013_lines, random_images
from validation.suites.custom_expectations import read_checks

_IMAGES = random_images(8)
_CLASSES = ("happy", "sad")
_WEIGHTS = resources.files("fer_models") / "weights"


@dataclass(frozen=True)
class Reader:
    """A reader, the name of its file, and valid content."""

    name: str
    file: str
    content: bytes
    read: Callable[[Path], object]
    """May raise a `FerError` only."""


def all_readers() -> list[Reader]:
    """The readers, by name."""
    return sorted([*_sources(), *_settings(), *_models(), *_stored()], key=lambda one: one.name)


def _sources() -> Iterable[Reader]:
    pixels = "\n".join(["emotion,pixels,Usage", *fer2013_lines(_IMAGES)]).encode()
    yield Reader("table of pixels", "fer2013.csv", pixels, _ingest)
    yield Reader("votes", "fer2013new.csv", _votes(), _ingest_votes)
    table = pd.DataFrame({"label": list(_CLASSES) * 4, "image": [_png(one) for one in _IMAGES]})
    yield Reader("parquet", "faces.parquet", _parquet(table), _ingest)
    yield Reader("zip archive", "faces.zip", _zipped(), _ingest)
    yield Reader("tar archive", "faces.tar.gz", _tarred(), _ingest)
    yield Reader("table of labels", "labels.csv", b"file,label\na.png,happy\nb.png,sad\n", _labels)
    lines = b'{"file": "a.png", "label": "happy"}\n{"file": "b.png", "label": "sad"}\n'
    yield Reader("labels as json lines", "labels.jsonl", lines, _labels)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        yield Reader(f"picture ({kind})", f"a.{kind.lower()}", _png(_IMAGES[0], kind), _predict)
    decisions = f"{','.join(COLUMNS)}\nfer2013-7,{'ab' * 32},relabel,happy,a note\n".encode()
    yield Reader("decisions", "decisions.csv", decisions, _decisions)
    yield Reader("label studio", "export.json", _label_studio(), read_annotations)


def _settings() -> Iterable[Reader]:
    recipe = Path(str(recipe_path("fer2013-quick"))).read_bytes()
    yield Reader("recipe", "mine.yaml", recipe, lambda path: load_config(str(path)))
    expectation = (
        b"- table: kept\n  expect: expect_column_mean_to_be_between\n"
        b"  kwargs: {column: mean, min_value: 110, max_value: 150}\n  severity: warning\n"
        b"  name: light\n- table: kept\n  expect: expect_column_values_to_not_be_null\n"
        b"  kwargs: {column: label, row_condition: 'mean > 3 and split == \"train\"'}\n"
    )
    yield Reader("expectations", "mine.yaml", expectation, _expectations)


def _models() -> Iterable[Reader]:
    facts = (_WEIGHTS / "face_cnn.json").read_bytes()
    yield Reader("bundle metadata", "face_cnn.json", facts, _facts)
    yield Reader("bundle", "small.json", facts, _bundle)
    yield Reader("onnx file", "m.onnx", (_WEIGHTS / "face_cnn.onnx").read_bytes(), _onnx)


def _stored() -> Iterable[Reader]:
    yield Reader("registry entry", "entry.json", _registry_entry(), _registry)
    yield Reader("artifact description", "artifact.json", _description(), _artifact)


def _ingest(path: Path) -> object:
    return ingest_sources(_store(path), DataConfig(sources=(str(path),)), 0)


def _ingest_votes(path: Path) -> object:
    table = path.with_name("table.csv")
    table.write_text("\n".join(["emotion,pixels,Usage", *fer2013_lines(_IMAGES)]))
    return ingest_sources(_store(path), DataConfig(sources=(str(table), str(path))), 0)


def _labels(path: Path) -> object:
    folder = path.parent / "faces"
    folder.mkdir(exist_ok=True)
    for name, image in zip(("a.png", "b.png"), _IMAGES, strict=False):
        (folder / name).write_bytes(_png(image))
    (folder / path.name).write_bytes(path.read_bytes())
    config = DataConfig(sources=(str(folder),), table={"path": path.name})
    return ingest_sources(_store(path), config, 0)


def _predict(path: Path) -> object:
    model = open_model("bundled:face_cnn", speed="fast")
    (predicted,) = predict_pictures([Picture(path.name, data=path.read_bytes())], model, "crop")
    if bool(predicted.faces) == bool(predicted.reason):
        raise AssertionError(f"{len(predicted.faces)} faces and the reason {predicted.reason!r}")
    return predicted


def _decisions(path: Path) -> object:
    return decode_decisions(path.read_bytes(), path.name)


def _expectations(path: Path) -> object:
    checks, problems = read_checks(str(path), (), ("kept",))
    if problems:
        raise DataError("problems", problems)
    return checks


def _facts(path: Path) -> object:
    return read_facts(path)


def _bundle(path: Path) -> object:
    path.with_suffix(".safetensors").write_bytes((_WEIGHTS / "face_cnn.safetensors").read_bytes())
    return open_model(str(path))


def _onnx(path: Path) -> object:
    weights = path.with_name("face_cnn.safetensors")
    weights.write_bytes((_WEIGHTS / weights.name).read_bytes())
    return open_model(str(path)).predict(_IMAGES[:1])


def _registry(path: Path) -> object:
    store = _store(path)
    Registry(store).set(CHAMPION, "a-model", "a reason")
    (key,) = store.list_keys("registry")
    store.write_bytes(key, path.read_bytes())
    return Registry(store).history()


def _artifact(path: Path) -> object:
    store = _store(path)
    ref = store.put(SnapshotRef, "one", {"note.txt": b"hello"}, {"n": 1})
    store.write_bytes(f"datasets/one/{ARTIFACT_FILE}", path.read_bytes())
    store.faults(ref)
    return store.read_file(ref, "note.txt")


def _store(path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(path.parent / "store")))


def _registry_entry() -> bytes:
    entry = {
        "number": 1,
        "time_s": 1.5,
        "nonce": "ab",
        "alias": CHAMPION,
        "model_id": "a-model",
        "reason": "a reason",
        "details": {"accuracy": 0.5},
        "previous_id": None,
    }
    return json.dumps(entry).encode()


def _description() -> bytes:
    file = {
        "key": "datasets/one/note.txt",
        "size": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
    }
    return json.dumps({"id": "one", "files": {"note.txt": file}, "info": {"n": 1}}).encode()


def _label_studio() -> bytes:
    choice = {"from_name": "expression", "to_name": "face", "type": "choices"}
    answer = {
        "id": 3,
        "completed_by": 1,
        "was_cancelled": False,
        "result": [choice | {"value": {"choices": ["happy"]}}],
    }
    data = {
        "image": "data:image/png;base64,AAAA",
        "image_id": "x",
        "pixel_sha256": "ab" * 32,
        "classes": ["happy", "sad"],
    }
    return json.dumps([{"id": 1, "data": data, "annotations": [answer]}]).encode()


def _votes() -> bytes:
    usage = ["Training"] * 6 + ["PublicTest", "PrivateTest"]
    rows = [f"{one},fer{row:07d}.png,5,0,0,5,0,0,0,0,0,0" for row, one in enumerate(usage)]
    return "\n".join([f"Usage,Image name,{','.join(VOTE_NAMES)}", *rows]).encode()


def _png(image: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def _parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


def _members() -> list[tuple[str, bytes]]:
    return [
        (f"train/{_CLASSES[number % 2]}/{number}.png", _png(image))
        for number, image in enumerate(_IMAGES)
    ]


def _zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in _members():
            archive.writestr(name, content)
    return stream.getvalue()


def _tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in _members():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
