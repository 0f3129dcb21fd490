"""Open a model by the name that a user gives: a bundle, an ONNX file, a stored model.

What onnxruntime can run is opened without torch: ONNX files, and bundles with such a file beside
them that predicts the same, as all that ferflow ships.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from fer_models.bundles.facts import FACTS_SUFFIX, BundleFacts, EnsembleFacts, read_facts
from fer_models.bundles.names import BUNDLED, bundle_of, is_bundle, is_onnx_file
from fer_models.bundles.shipped import bundle_files, graph_file, is_graph_of
from fer_models.bundles.speed import DEFAULT_SPEED, SPEEDS, Speed, views_at
from fer_models.bundles.weights_file import read_weights
from fer_models.errors import NotFoundError, StoreError
from fer_models.inference.expression_model import ExpressionModel, checking_predictor
from fer_models.inference.familiar_faces import later_unfamiliarity, recorded_unfamiliarity
from fer_models.onnx_files.session import OnnxModel, open_onnx
from fer_models.storage.champions import is_champion_alias, named_champion
from fer_models.storage.find import find_id
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import check_choice

if TYPE_CHECKING:
    from fer_models.inference.networks import LoadedModel


def open_model(
    name: str, store: ArtifactStore | None = None, speed: Speed = DEFAULT_SPEED
) -> ExpressionModel:
    """Open a model by name.

    Args:
        name: `bundled` (the default bundle), `bundled:NAME`, the path of an ONNX file or of one of
            a bundle's files, `champion`, or the id of a stored model or its beginning.
        store: contains `champion` and stored models; not needed for bundles and files.
        speed: `fast` reads each image once, `balanced` also its mirror image, `best` all views of
            the model's test-time augmentation.

    Raises:
        ConfigError: `speed` is none of those.
        StoreError: the model does not exist or is damaged, or the name is not that of a bundle or
            file and there is no store.

    Example:
        model = open_model("bundled")
        model.classes[int(model.predict(image_1SS).argmax())]
    """
    check_choice("speed", speed, SPEEDS)
    if is_onnx_file(name):
        opened = open_onnx(Path(name))
        familiarity = opened.facts.familiarity or _familiarity_beside(Path(name), opened)
        return _by_onnxruntime(name, opened, speed, familiarity)
    if is_bundle(name):
        return open_bundle(name, speed)
    if store is None:
        raise NotFoundError(
            f"model {name!r}: expected a bundle ({BUNDLED}, {BUNDLED}:NAME, or its .json file), an "
            "ONNX file, or a store to look in; pass a store"
        )
    return open_stored(store, stored_model(store, name), speed)


def open_bundle(name: str, speed: Speed = DEFAULT_SPEED) -> ExpressionModel:
    """Open `bundled` (the default bundle), `bundled:NAME`, or a bundle by one of its files.

    Raises:
        StoreError: the bundle is missing or damaged.
    """
    full_name, which = bundle_of(name)
    graph = graph_file(which)
    if graph is not None:
        facts = read_facts(bundle_files(which).facts)
        opened = _opened_graph(which, graph, facts)
        if opened is not None:
            return _by_onnxruntime(full_name, opened, speed, facts.familiarity)
    from fer_models.inference.networks import load_bundled

    return _by_torch(load_bundled(name).at_speed(speed))


def open_stored(
    store: ArtifactStore, model: ModelRef, speed: Speed = DEFAULT_SPEED
) -> ExpressionModel:
    """Open a network or an ensemble of a store.

    Raises:
        StoreError: the model or one of its members is missing or damaged.
    """
    from fer_models.inference.networks import load_stored

    return _by_torch(load_stored(store, model).at_speed(speed))


def _by_onnxruntime(name: str, model: OnnxModel, speed: Speed, familiarity: str) -> ExpressionModel:
    views, target = views_at(speed, model.facts.views), model.facts.target
    return ExpressionModel(
        name=name,
        classes=model.facts.classes,
        predict=checking_predictor(lambda images: model.predict(images, views), target, name),
        image_format=target,
        unfamiliarity=recorded_unfamiliarity(familiarity, name),
        temperature=model.facts.temperature_at(views),
    )


def _by_torch(loaded: "LoadedModel") -> ExpressionModel:
    return ExpressionModel(
        name=loaded.full_name,
        classes=loaded.classes,
        predict=checking_predictor(loaded.predict, loaded.image_format, loaded.full_name),
        image_format=loaded.image_format,
        unfamiliarity=later_unfamiliarity(loaded.familiarity, loaded.full_name),
        temperature=loaded.temperature,
    )


def _opened_graph(which: str, graph: Path, facts: BundleFacts | EnsembleFacts) -> OnnxModel | None:
    """The ONNX file beside a bundle; None if it predicts something else, such as in int8."""
    for file, sha256 in bundle_files(which).weights(facts):
        read_weights(file, sha256)
    opened = open_onnx(graph)
    return opened if is_graph_of(opened.facts, facts) else None


def _familiarity_beside(path: Path, opened: OnnxModel) -> str:
    """That of the bundle of the same name in the folder; "" if the file is not its graph."""
    beside = path.with_suffix(FACTS_SUFFIX)
    try:
        facts = read_facts(beside) if beside.is_file() else None
    except StoreError:  # some other file
        return ""
    return facts.familiarity if facts is not None and is_graph_of(opened.facts, facts) else ""


def stored_model(store: ArtifactStore, text: str) -> ModelRef:
    """The stored model of an id, the beginning of an id, or `champion`.

    Raises:
        NotFoundError: no model matches, or more than one does.
    """
    if not text.strip():
        raise NotFoundError(
            "expected the id of a model, got an empty text; pass an id or `champion`"
        )
    if not is_champion_alias(text):
        return find_model(store, text)
    entry = named_champion(store, text)
    if entry is None:
        raise NotFoundError(
            f"{store.url}: there is no champion yet; run the pipeline, pass a model's id, or check "
            "--store"
        )
    return find_model(store, entry.model_id)


def find_model(store: ArtifactStore, text: str) -> ModelRef:
    """The model whose id starts with `text`; a full URL works as well.

    Raises:
        NotFoundError: no model matches, or more than one does.
    """
    from fer_models.evaluation.predictions import model_ref

    return model_ref(store, find_id(store, ModelRef, text))
