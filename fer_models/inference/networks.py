"""The networks of a model, loaded with torch: of a bundle or of a store, one or an ensemble.

N images, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fer_models.bundles.bundle import Bundle, load_any_bundle
from fer_models.bundles.facts import MeasuredAccuracy
from fer_models.bundles.names import bundle_of
from fer_models.bundles.speed import Speed, views_at
from fer_models.combination.stored import (
    Combination,
    joint_sha256,
    read_combination,
    weights_sha256,
)
from fer_models.dataset.image_format import ImageFormat, recorded_format
from fer_models.dataset.snapshot import Images
from fer_models.evaluation.temperature import at_temperature
from fer_models.inference.familiar_faces import Familiarity, stored_familiarity
from fer_models.inference.temperature import stored_temperatures
from fer_models.onnx_files.write import Part
from fer_models.storage.refs import ENSEMBLE, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA
from fer_models.training.inputs.data import Probabilities
from fer_models.training.inputs.tta import NUM_VIEWS
from fer_models.training.predict import load_network, member_ref, predict_probabilities

_TTA_OF: Mapping[int, TTA] = {1: "none", 2: "flip", 10: "ten_crop", 18: "affine"}


@dataclass(frozen=True)
class LoadedModel:
    """A model, ready to predict."""

    name: str
    """Without a path or prefix, as for file names."""
    full_name: str
    parts: Sequence[Part]
    network_names: Sequence[str]
    combination: Combination | None
    """How several networks are combined; None for a single one."""
    weights_sha256: str
    accuracy: Mapping[str, MeasuredAccuracy]
    familiarity: Familiarity
    final_fit_of: str = ""
    """Of a final fit: the model that it repeats, and that was measured on the validation images."""
    temperatures: Mapping[int, float] = field(default_factory=dict)
    """Of a single network: what calibrates its probabilities, by number of views."""

    @property
    def classes(self) -> tuple[str, ...]:
        """K names in the order of the probabilities."""
        return tuple(self.parts[0].preprocessing["classes"])

    @property
    def image_format(self) -> ImageFormat:
        """Of the images that `predict` takes."""
        return recorded_format(self.parts[0].preprocessing)

    @property
    def temperature(self) -> float | None:
        """What calibrates the probabilities, fitted to validation images; None: nothing does."""
        if self.combination is not None:
            return self.combination.temperature
        return self.temperatures.get(NUM_VIEWS[self.parts[0].tta])

    def predict(self, images: Images) -> Probabilities:
        """Probabilities N x K of uint8 images of the model's format, at its temperature."""
        probs = [predict_probabilities(*part, images) for part in self.parts]
        if self.combination is None:
            return at_temperature(probs[0], self.temperature)
        return self.combination.predict(np.stack(probs))

    def with_tta(self, tta: TTA) -> "LoadedModel":
        """The same model with other views; the accuracy with those is unknown."""
        if all(one.tta == tta for one in self.parts):
            return self
        parts = [Part(one.network, {**one.preprocessing, "tta": tta}) for one in self.parts]
        return replace(self, parts=parts, accuracy={})

    def at_speed(self, speed: Speed) -> "LoadedModel":
        """The same model with the views of a speed."""
        parts = []
        for one in self.parts:
            tta = _TTA_OF[views_at(speed, NUM_VIEWS[one.tta])]
            parts.append(Part(one.network, {**one.preprocessing, "tta": tta}))
        return replace(self, parts=parts)


def load_bundled(model: str) -> LoadedModel:
    """Load `bundled`, `bundled:NAME`, or a bundle by one of its files.

    Raises:
        StoreError: the bundle is missing or damaged.
    """
    full_name, which = bundle_of(model)
    bundle = load_any_bundle(which)
    facts = bundle.facts
    if isinstance(bundle, Bundle):
        parts = [Part(bundle.network, bundle.preprocessing)]
        names, combination = [bundle.facts.member.name], None
        temperatures = bundle.facts.temperatures
    else:
        parts = [Part(*member) for member in bundle.members]
        names = [member.member.name for member in bundle.facts.members]
        combination, temperatures = bundle.combination, {}
    return LoadedModel(
        facts.name,
        full_name,
        parts,
        names,
        combination,
        facts.weights_sha256,
        facts.accuracy,
        lambda: facts.familiarity,
        facts.final_fit_of,
        temperatures,
    )


def load_stored(store: ArtifactStore, model: ModelRef) -> LoadedModel:
    """Load a network or an ensemble of a store.

    Raises:
        StoreError: the model or one of its members is missing or damaged.
    """
    familiarity = stored_familiarity(store, model)
    accuracy = recorded_accuracy(store, model)
    if model.kind != ENSEMBLE:
        part, sha256 = Part(*load_network(store, model)), weights_sha256(store, model)
        return LoadedModel(
            model.id,
            model.id,
            [part],
            [model.name],
            None,
            sha256,
            accuracy,
            familiarity,
            temperatures=stored_temperatures(store, model),
        )
    combination, members = read_combination(store, model)
    refs = [member_ref(store, member.model_id, member.name) for member in members]
    parts = [Part(*load_network(store, ref)) for ref in refs]
    names = [member.name for member in members]
    sha256 = joint_sha256(member.weights_sha256 for member in members)
    return LoadedModel(model.id, model.id, parts, names, combination, sha256, accuracy, familiarity)


def recorded_accuracy(store: ArtifactStore, model: ModelRef) -> dict[str, MeasuredAccuracy]:
    """The validation accuracy that the training measured; empty if it did not."""
    from fer_models.evaluation.predictions import PROBABILITIES_FILE

    accuracy = store.info(model)["validation_accuracy"]
    if accuracy is None:
        return {}
    with np.load(store.fetch(model, PROBABILITIES_FILE)) as arrays:
        num_images = len(arrays["validation"])
    if not num_images:
        return {}
    return {"validation": MeasuredAccuracy(accuracy=accuracy, n=num_images)}
