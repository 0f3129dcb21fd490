"""Export a bundle or a stored model as an ONNX file."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_models.bundles.facts import EnsembleFacts, read_facts
from fer_models.bundles.names import bundle_of, is_bundle
from fer_models.bundles.shipped import bundle_files
from fer_models.dataset.snapshot import Images, open_snapshot
from fer_models.errors import ConfigError, DataError, StoreError
from fer_models.inference.bundle_folder import check_folder, check_name
from fer_models.inference.networks import LoadedModel, load_bundled, load_stored
from fer_models.inference.open_model import stored_model
from fer_models.inference.submission.source_rows import read_source_rows
from fer_models.lineage import package_version
from fer_models.onnx_files.facts import (
    ONNX_SUFFIX,
    AccuracyFacts,
    FormatFacts,
    NetworkFacts,
    OnnxFacts,
)
from fer_models.onnx_files.quantize import MIN_IMAGES, quantize_onnx
from fer_models.onnx_files.session import open_onnx
from fer_models.onnx_files.weights import refer_to_weights, store_in_half_precision
from fer_models.onnx_files.write import onnx_model, replacing, save_onnx
from fer_models.progress import report, warn
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA
from fer_models.training.inputs.data import split_images
from fer_models.training.inputs.tta import NUM_VIEWS

if TYPE_CHECKING:
    import onnx_ir as ir

MAX_DIFFERENCE = 1e-3
"""Between the probabilities of the file and those of torch."""
_CHECKED_IMAGES = 16
_CALIBRATION_IMAGES = 256
_USUAL_SHARE = 0.9
"""Of the calibration images, that int8 answers as float32 does."""


def write_onnx(
    model: str,
    folder: Path,
    store: ArtifactStore | None = None,
    *,
    name: str = "",
    tta: TTA | None = None,
    with_weights: bool = True,
    calibration: Images | None = None,
) -> tuple[Path, OnnxFacts]:
    """Write a model as `<name>.onnx` to `folder`, which is created if necessary.

    The file is complete and predicts what torch predicts, or it is not written.

    Args:
        model: `bundled`, `bundled:NAME`, the path of a bundle, `champion`, or an id.
        folder: output folder.
        store: contains `champion` and stored models.
        name: of the file; by default that of the bundle or the id of the model, with `-int8` for
            an int8 file.
        tta: which views the file can compute; those of the model by default.
        with_weights: False lets the file read the weights of a bundle, which must be in `folder`.
        calibration: images of the model's format for an int8 file; None: float32.

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
    source = _loaded(model, store)
    if tta is not None:
        source = source.with_tta(tta)
    facts = _facts(source)
    if not with_weights:  # the bundle has it, and lies in the same folder
        facts = facts.model_copy(update={"familiarity": ""})
    report("export", 0, len(source.parts), "networks", f"exporting {source.full_name}")
    built = onnx_model(source.parts, source.combination, facts)
    report("export", len(source.parts), len(source.parts), "networks")
    # Not the name of the float32 file, which it would replace.
    default = source.name if calibration is None else f"{source.name}-int8"
    path = folder / f"{name or default}{ONNX_SUFFIX}"
    if calibration is not None:
        return _save_int8(built, path, source, calibration)
    if with_weights:
        store_in_half_precision(built)
    else:
        _refer_to_bundle(built, model, folder)
    with replacing(path) as temporary:
        save_onnx(built, temporary)
        _check(temporary, source)
    return path, facts


def calibration_images(
    model: str, store: ArtifactStore | None = None, images: str | None = None
) -> Images:
    """Images that int8 is calibrated on: of a source, else the training images of a stored model.

    Raises:
        ConfigError: the model is a bundle and no source is named.
        DataError: the source can't be read, or these are too few images.
        StoreError: the training images are no longer in the store.
    """
    loaded = _loaded(model, store)
    if images is not None:
        found = read_source_rows(images, loaded.image_format).images
    elif store is None or is_bundle(model):
        raise ConfigError(
            "--int8: a bundle has no images to calibrate on; name some hundred pictures of faces "
            "with --images FOLDER or TABLE"
        )
    else:
        info = store.info(stored_model(store, model))
        snapshot = open_snapshot(store, store.ref(SnapshotRef, info["snapshot_id"]))
        found = split_images(snapshot, "train").images
    if len(found) < MIN_IMAGES:
        raise DataError(
            f"--int8: expected at least {MIN_IMAGES} images to calibrate on, got {len(found)} from "
            f"{images or 'the training split'}; name some hundred pictures of faces with --images"
        )
    chosen = np.random.default_rng(0).permutation(len(found))[:_CALIBRATION_IMAGES]
    return np.ascontiguousarray(found[np.sort(chosen)])


def _save_int8(
    built: "ir.Model", path: Path, source: LoadedModel, calibration: Images
) -> tuple[Path, OnnxFacts]:
    with replacing(path) as temporary, replacing(path) as float_file:
        save_onnx(built, float_file)
        _check(float_file, source)
        report("export", 0, len(calibration), "images", "calibrating int8")
        quantize_onnx(float_file, temporary, calibration)
        report("export", len(calibration), len(calibration), "images")
        float_file.unlink()
        facts = open_onnx(temporary).facts
        _warn_if_unlike(facts)
        return path, facts


def _warn_if_unlike(facts: OnnxFacts) -> None:
    share = facts.same_answers
    if share is not None and share < _USUAL_SHARE:
        warn(
            "export",
            f"int8 answers as float32 does for only {share:.1%} of the calibration images, usual "
            f"are {_USUAL_SHARE:.0%} and more; measure its accuracy before you use it, or export "
            "float32 (without --int8)",
        )


def _loaded(model: str, store: ArtifactStore | None) -> LoadedModel:
    if is_bundle(model):
        return load_bundled(model)
    if store is None:
        raise StoreError(f"model {model!r}: expected a bundle, or a store to look in; pass a store")
    return load_stored(store, stored_model(store, model))


def _facts(source: LoadedModel) -> OnnxFacts:
    image_format = source.image_format
    networks = []
    for name, (_, facts) in zip(source.network_names, source.parts, strict=True):
        tta = facts.get("tta", "none")
        kept = {key: facts[key] for key in ("image_size_px", "in_channels", "mean", "std")}
        networks.append(NetworkFacts(name=name, tta=tta, **kept))
    combination = source.combination
    return OnnxFacts(
        model=source.full_name,
        classes=tuple(source.parts[0].preprocessing["classes"]),
        image_format=FormatFacts(**vars(image_format)),
        views=max(NUM_VIEWS[network.tta] for network in networks),
        networks=tuple(networks),
        combination="" if combination is None else combination.rule.kind,
        temperature=1.0 if combination is None else combination.temperature,
        temperatures=dict(source.temperatures),
        weights_sha256=source.weights_sha256,
        accuracy={key: AccuracyFacts(**one.model_dump()) for key, one in source.accuracy.items()},
        final_fit_of=source.final_fit_of,
        familiarity=source.familiarity(),
        ferflow=package_version("ferflow") or "unknown",
    )


def _refer_to_bundle(built: "ir.Model", model: str, folder: Path) -> None:
    """Let the weights be read from the bundle's files in the folder.

    Raises:
        ConfigError: the model is no bundle.
        StoreError: the files are not there.
    """
    if not is_bundle(model):
        raise ConfigError(
            f"{model}: expected a bundle, whose weights are files; export the model as a bundle "
            "first (without --onnx), or leave out --without-weights"
        )
    files = bundle_files(bundle_of(model)[1])
    facts = read_facts(files.facts)
    is_ensemble = isinstance(facts, EnsembleFacts)
    for number, (file, sha256) in enumerate(files.weights(facts)):
        prefix = f"{number}." if is_ensemble else ""
        refer_to_weights(built, folder / file.name, sha256, prefix)


def _check(path: Path, source: LoadedModel) -> None:
    """Compare the file with torch on random images."""
    image_format = source.image_format
    shape = (_CHECKED_IMAGES, *image_format.shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    difference = float(np.abs(open_onnx(path).predict(images) - source.predict(images)).max())
    if not difference < MAX_DIFFERENCE:
        raise StoreError(
            f"{source.full_name}: expected an ONNX file that predicts as torch does, got "
            f"probabilities that differ by {difference:.4f}; export it as a bundle (without --onnx)"
        )
