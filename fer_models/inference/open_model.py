"""Open a model by the name that a user gives: a bundle, an ONNX file, a stored model."""

from pathlib import Path

from fer_models.dataset.image_format import recorded_format
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_preprocessing, model_ref
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.facts import FACTS_SUFFIX, WEIGHTS_SUFFIX
from fer_models.inference.familiar_faces import recorded_unfamiliarity, stored_unfamiliarity
from fer_models.onnx_files.facts import ONNX_SUFFIX
from fer_models.storage.champions import is_champion_alias, named_champion
from fer_models.storage.find import find_id
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

BUNDLED = "bundled"


def open_model(name: str, store: ArtifactStore | None = None) -> ExpressionModel:
    """Open a model by name.

    Args:
        name: `bundled` (the default bundle), `bundled:NAME`, the path of an ONNX file or of one of
            a bundle's files, `champion`, or the id of a stored model or its beginning.
        store: contains `champion` and stored models; not needed for bundles and files.

    Raises:
        StoreError: the model does not exist or is damaged, or the name is not that of a bundle and
            there is no store.

    Example:
        model = open_model("bundled")
        model.classes[int(model.predict(image_1SS).argmax())]
    """
    if is_onnx_file(name):
        return open_onnx_file(name)
    if is_bundle(name):
        return open_bundle(name)
    if store is None:
        raise StoreError(
            f"model {name!r}: expected a bundle ({BUNDLED}, {BUNDLED}:NAME, or its .json file), or "
            "a store to look in; pass a store"
        )
    return open_stored(store, stored_model(store, name))


def open_onnx_file(name: str) -> ExpressionModel:
    """Open an ONNX file that ferflow exported; torch is not loaded.

    Raises:
        StoreError: the file is missing, damaged or was not exported by ferflow.
    """
    from fer_models.onnx_files.session import open_onnx

    model = open_onnx(Path(name))
    return ExpressionModel(
        name,
        model.facts.classes,
        model.predict,
        model.facts.target,
        recorded_unfamiliarity(model.facts.familiarity, name),
    )


def open_bundle(name: str) -> ExpressionModel:
    """Open `bundled` (the default bundle), `bundled:NAME`, or a bundle by one of its two files.

    Raises:
        StoreError: the bundle is missing or damaged.
    """
    from fer_models.inference.bundle import load_any_bundle

    full_name, which = bundle_of(name)
    loaded = load_any_bundle(which)
    return ExpressionModel(
        name=full_name,
        classes=tuple(loaded.preprocessing["classes"]),
        predict=loaded.predict,
        image_format=recorded_format(loaded.preprocessing),
        unfamiliarity=recorded_unfamiliarity(loaded.facts.familiarity, full_name),
    )


def bundle_of(name: str) -> tuple[str, str]:
    """The full name of a bundle, and what `load_any_bundle` calls it.

    Raises:
        StoreError: no bundle is shipped.

    Example:
        bundle_of("bundled")  # ("bundled:face_cnn_large", "face_cnn_large")
    """
    from fer_models.inference.bundle import default_bundle

    _, colon, bundle_name = name.partition(":")
    if is_bundle_file(name):
        return name, name
    which = bundle_name if colon else default_bundle()
    return f"{BUNDLED}:{which}", which


def open_stored(store: ArtifactStore, model: ModelRef) -> ExpressionModel:
    """Open a network or an ensemble of a store.

    Raises:
        StoreError: the model or one of its members is missing or damaged.
    """
    from fer_models.training.predict import (
        ENSEMBLE,
        load_network,
        predict_model,
        predict_probabilities,
    )

    facts = model_preprocessing(store, model)
    classes, image_format = tuple(facts["classes"]), recorded_format(facts)
    unfamiliarity = stored_unfamiliarity(store, model)
    if model.kind == ENSEMBLE:
        return ExpressionModel(
            model.id,
            classes,
            lambda images: predict_model(store, model, images),
            image_format,
            unfamiliarity,
        )
    network, preprocessing = load_network(store, model)
    return ExpressionModel(
        model.id,
        classes,
        lambda images: predict_probabilities(network, preprocessing, images),
        image_format,
        unfamiliarity,
    )


def stored_model(store: ArtifactStore, text: str) -> ModelRef:
    """The stored model of an id, the beginning of an id, or `champion`.

    Raises:
        StoreError: no model matches, or more than one does.
    """
    if not text.strip():
        raise StoreError("expected the id of a model, got an empty text; pass an id or `champion`")
    if not is_champion_alias(text):
        return find_model(store, text)
    entry = named_champion(store, text)
    if entry is None:
        raise StoreError(
            f"{store.url}: there is no champion yet; run the pipeline, pass a model's id, or check "
            "--store"
        )
    return find_model(store, entry.model_id)


def find_model(store: ArtifactStore, text: str) -> ModelRef:
    """The model whose id starts with `text`; a full URL works as well.

    Raises:
        StoreError: no model matches, or more than one does.
    """
    return model_ref(store, find_id(store, ModelRef, text))


def is_bundle_file(name: str) -> bool:
    """Whether the name is that of a file of a bundle."""
    return name.endswith((FACTS_SUFFIX, WEIGHTS_SUFFIX))


def is_onnx_file(name: str) -> bool:
    """Whether the name is that of an ONNX file."""
    return name.endswith(ONNX_SUFFIX)


def needs_store(name: str) -> bool:
    """Whether the name is that of a stored model."""
    return not (is_bundle(name) or is_onnx_file(name))


def is_bundle(name: str) -> bool:
    """Whether the name is that of a bundle, not of a stored model."""
    return is_bundle_file(name) or name.partition(":")[0] == BUNDLED
