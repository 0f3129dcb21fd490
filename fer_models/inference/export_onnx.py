"""Export a bundle or a stored model as an ONNX file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_models.combination.stored import Combination, read_combination, weights_sha256
from fer_models.dataset.image_format import recorded_format
from fer_models.errors import StoreError
from fer_models.inference.bundle import Bundle, load_any_bundle
from fer_models.inference.export import check_folder, check_name, recorded_accuracy
from fer_models.inference.facts import MeasuredAccuracy
from fer_models.inference.familiar_faces import familiarity_text
from fer_models.inference.open_model import bundle_of, is_bundle, stored_model
from fer_models.lineage import package_version
from fer_models.onnx_files.facts import (
    ONNX_SUFFIX,
    AccuracyFacts,
    FormatFacts,
    NetworkFacts,
    OnnxFacts,
)
from fer_models.onnx_files.session import open_onnx
from fer_models.onnx_files.write import Part, onnx_model, save_onnx
from fer_models.progress import report
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA
from fer_models.training.inputs.tta import NUM_VIEWS
from fer_models.training.predict import ENSEMBLE, load_network, member_ref, predict_probabilities

MAX_DIFFERENCE = 1e-3
"""Between the probabilities of the file and those of torch."""
_CHECKED_IMAGES = 16


@dataclass(frozen=True)
class _Source:
    """A model to export: K classes, M networks."""

    name: str
    model: str
    parts: Sequence[Part]
    names: Sequence[str]
    """Of the networks."""
    combination: Combination | None
    weights_sha256: str
    accuracy: dict[str, MeasuredAccuracy]
    familiarity: str


def write_onnx(
    model: str,
    folder: Path,
    store: ArtifactStore | None = None,
    *,
    name: str = "",
    tta: TTA | None = None,
) -> tuple[Path, OnnxFacts]:
    """Write a model as `<name>.onnx` to `folder`, which is created if necessary.

    The file is complete and predicts what torch predicts, or it is not written.

    Args:
        model: `bundled`, `bundled:NAME`, the path of a bundle, `champion`, or an id.
        folder: output folder.
        store: contains `champion` and stored models.
        name: of the file; that of the bundle, or the id of the model, by default.
        tta: which views the file can compute; those of the model by default.

    Raises:
        StoreError: the model does not exist or is damaged, or the folder can't be written.
        ConfigError: torch can't export one of the networks.

    Example:
        path, facts = write_onnx("bundled:face_cnn", Path("exported"))
        open_model(str(path)).predict(images)
    """
    if name:
        check_name(name)
    check_folder(folder)
    source = _bundle(model) if is_bundle(model) else _stored(model, store)
    if tta is not None:
        parts = [Part(p.network, {**p.preprocessing, "tta": tta}) for p in source.parts]
        source = _Source(**{**vars(source), "parts": parts})
    facts = _facts(source)
    report("export", 0, len(source.parts), "networks", f"exporting {source.model}")
    built = onnx_model(source.parts, source.combination, facts)
    report("export", len(source.parts), len(source.parts), "networks")
    path = folder / f"{name or source.name}{ONNX_SUFFIX}"
    save_onnx(built, path, check=lambda written: _check(written, source))
    return path, facts


def _bundle(model: str) -> _Source:
    name, which = bundle_of(model)
    bundle = load_any_bundle(which)
    common = (bundle.facts.weights_sha256, bundle.facts.accuracy, bundle.facts.familiarity)
    if isinstance(bundle, Bundle):
        part = Part(bundle.network, bundle.preprocessing)
        names = [bundle.facts.member.name]
        return _Source(bundle.facts.name, name, [part], names, None, *common)
    parts = [Part(*member) for member in bundle.members]
    names = [member.member.name for member in bundle.facts.members]
    return _Source(bundle.facts.name, name, parts, names, bundle.combination, *common)


def _stored(text: str, store: ArtifactStore | None) -> _Source:
    if store is None:
        raise StoreError(f"model {text!r}: expected a bundle, or a store to look in; pass a store")
    model = stored_model(store, text)
    measured = recorded_accuracy(store, model, store.info(model)["validation_accuracy"])
    accuracy = {key: MeasuredAccuracy.model_validate(one) for key, one in measured.items()}
    familiarity = familiarity_text(store, model)
    if model.kind != ENSEMBLE:
        part, sha = Part(*load_network(store, model)), weights_sha256(store, model)
        return _Source(model.id, model.id, [part], [model.name], None, sha, accuracy, familiarity)
    combination, members = read_combination(store, model)
    refs = [member_ref(store, member.model_id, member.name) for member in members]
    parts = [Part(*load_network(store, ref)) for ref in refs]
    together = "".join(member.weights_sha256 for member in members)
    sha = hashlib.sha256(together.encode()).hexdigest()
    names = [member.name for member in members]
    return _Source(model.id, model.id, parts, names, combination, sha, accuracy, familiarity)


def _facts(source: _Source) -> OnnxFacts:
    image_format = recorded_format(source.parts[0].preprocessing)
    networks = []
    for name, (_, facts) in zip(source.names, source.parts, strict=True):
        tta = facts.get("tta", "none")
        kept = {key: facts[key] for key in ("image_size_px", "in_channels", "mean", "std")}
        networks.append(NetworkFacts(name=name, tta=tta, **kept))
    combination = source.combination
    return OnnxFacts(
        model=source.model,
        classes=tuple(source.parts[0].preprocessing["classes"]),
        image_format=FormatFacts(**vars(image_format)),
        views=max(NUM_VIEWS[network.tta] for network in networks),
        networks=tuple(networks),
        combination="" if combination is None else combination.rule.kind,
        temperature=1.0 if combination is None else combination.temperature,
        weights_sha256=source.weights_sha256,
        accuracy={key: AccuracyFacts(**one.model_dump()) for key, one in source.accuracy.items()},
        familiarity=source.familiarity,
        ferflow=package_version("ferflow") or "unknown",
    )


def _check(path: Path, source: _Source) -> None:
    """Compare the file with torch on random images."""
    image_format = recorded_format(source.parts[0].preprocessing)
    shape = (_CHECKED_IMAGES, *image_format.shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    probs = [predict_probabilities(*part, images) for part in source.parts]
    expected = (
        probs[0] if source.combination is None else source.combination.predict(np.stack(probs))
    )
    difference = float(np.abs(open_onnx(path).predict(images) - expected).max())
    if not difference < MAX_DIFFERENCE:
        raise StoreError(
            f"{source.model}: expected an ONNX file that predicts as torch does, got probabilities "
            f"that differ by {difference:.4f}; export it as a bundle (without --onnx)"
        )
